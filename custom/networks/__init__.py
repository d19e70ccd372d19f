from custom.networks.blocks import in_channels
from custom.networks.efficientnet_lite import EfficientNetLiteUNet
from custom.networks.final_head import FinalHead, final_head
from custom.networks.linknet import LinkNet
from custom.networks.pspnet import PSPNet
