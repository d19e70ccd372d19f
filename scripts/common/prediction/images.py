"""The image files of a prediction, and how a table names them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from pathlib import Path, PurePath

from custom.errors import InputError
from custom.readers import bare_name, is_dicom, is_image
from custom.readers.dicom import quiet_pydicom, read_dicom


class Images:
    """One image, or all below a folder.

    Args:
        image: The file or the folder.
        without: Files and folders that are none of its images, wherever they are.

    Raises:
        InputError: There is no such file, or no image below the folder.
    """

    def __init__(self, image: Path, without: Collection[Path] = ()) -> None:
        self.single = not image.is_dir()
        self.root = image.parent if self.single else image
        if not image.exists():
            raise InputError(
                f"{image}: no such file or folder; expected a mammogram or a folder of them: check --image"
            )
        # A folder that holds the image's own excludes nothing.
        excluded = {path.resolve() for path in without} - {*image.resolve().parents}
        self.files = [image] if self.single else sorted(file for file in image.rglob("*") if _counts(file, excluded))
        if not self.files:
            raise InputError(
                f"{image}: no image found below it, expected DICOM, PNG, JPEG, NIfTI, NRRD or MetaImage; check --image"
            )
        self._bare = Counter(map(self._without_suffix, self.files))
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        for file in self.files:
            self._by_name[file.name].append(file)

    def name(self, file: Path) -> str:
        """The name of an image in the results: its path below the folder."""
        return self._relative(file).as_posix()

    def folder(self, file: Path) -> PurePath:
        """The folder of an image's results: its name without suffix, unless another image shares it."""
        bare = self._without_suffix(file)
        return self._relative(file) if self._bare[bare] > 1 else bare

    def only(self, what: str) -> Path:
        """The single image; where there is a folder, an InputError says that `what` belongs to a single one."""
        if not self.single:
            raise InputError(f"{what} belongs to one mammogram, found the folder {self.root}; name a file by --image")
        return self.files[0]

    def find(self, name: str) -> Path:
        """The image that a table calls `name`: by its path below the folder, else by the end of its path.

        Raises:
            InputError: None or several fit.
        """
        sought = PurePath(name)
        named = self._by_name.get(sought.name, [])
        exact = [file for file in named if self._relative(file) == sought]
        fitting = exact or [file for file in named if file.absolute().parts[-len(sought.parts) :] == sought.parts]
        if not name or not fitting:
            raise InputError(f"no image {name!r} in {self.root}; expected its path there or its file name")
        if len(fitting) > 1:
            others = ", ".join(map(self.name, fitting))
            raise InputError(f"{len(fitting)} images are called {name!r} ({others}); give the path below {self.root}")
        return fitting[0]

    def by_uid(self) -> dict[str, tuple[Path, int, int]]:
        """The DICOM images by their SOP Instance UID, with their columns and rows."""
        found = {}
        for file in filter(is_dicom, self.files):
            with quiet_pydicom():
                try:
                    header = read_dicom(
                        file, force=True, specific_tags=["SOPInstanceUID", "Columns", "Rows"], stop_before_pixels=True
                    )
                    found[str(header.SOPInstanceUID)] = file, int(header.Columns), int(header.Rows)
                except Exception:  # Reading its pixels will say what is wrong with it.
                    continue
        return found

    def _without_suffix(self, file: Path) -> PurePath:
        return self._relative(file).with_name(bare_name(file))

    def _relative(self, file: Path) -> PurePath:
        return file.relative_to(self.root)


def _counts(file: Path, excluded: set[Path]) -> bool:
    if not file.is_file() or file.name.startswith("."):
        return False
    resolved = file.resolve()
    return excluded.isdisjoint([resolved, *resolved.parents]) and is_image(file)
