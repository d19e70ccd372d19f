from custom.networks.final_head import FinalHead, final_head

__all__ = ["FinalHead", "final_head"]
