"""Names for numbers that kernels read, compare and index arrays with."""

from enum import EnumType, IntEnum
from typing import Any

from numba import types
from numba.core.imputils import lower_constant, lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, models, register_model, typeof_impl


class CodeType(EnumType):
    """The type of enumerations whose members are plain whole numbers in compiled code."""


class Code(IntEnum, metaclass=CodeType):
    """An enumeration whose members are plain whole numbers in compiled code, as arguments too.

    Numba's own members of an `IntEnum` cannot be compared with real numbers, compile a kernel again for every enumeration that
    it is given a member of, and index arrays from Numba 0.68 on only.
    """


class _Codes(types.Type):
    """An enumeration as compiled code sees it."""

    def __init__(self, names: CodeType) -> None:
        self.names = names
        super().__init__(f"Codes({names.__module__}.{names.__qualname__})")

    @property
    def key(self) -> CodeType:
        return self.names


register_model(_Codes)(models.OpaqueModel)


@typeof_impl.register(CodeType)
def _typeof_codes(names: CodeType, context: Any) -> _Codes:
    return _Codes(names)


@typeof_impl.register(Code)
def _typeof_code(member: Code, context: Any) -> Any:
    return types.int64


@infer_getattr
class _CodeAttribute(AttributeTemplate):
    key = _Codes

    def generic_resolve(self, codes: _Codes, name: str) -> Any:
        return types.int64 if name in codes.names.__members__ else None


@lower_constant(_Codes)
def _lower_codes(context: Any, builder: Any, codes: _Codes, value: Any) -> Any:
    return context.get_dummy_value()


@lower_getattr_generic(_Codes)
def _lower_code(context: Any, builder: Any, codes: _Codes, value: Any, name: str) -> Any:
    return context.get_constant(types.int64, int(codes.names[name]))
