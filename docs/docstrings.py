"""Shows the section `Example:` of a docstring as code: griffe knows it as `Examples:`."""

from griffe import Extension, Object


class Examples(Extension):
    """Renames the section while a package is read; mkdocs.yml names this class."""

    def on_object(self, *, obj: Object, **_: object) -> None:
        """Look at the docstring of a class or function."""
        if obj.docstring is not None:
            obj.docstring.value = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")
