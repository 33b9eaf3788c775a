"""Named tuples that a process of 20 ms can afford.

`typing.NamedTuple` checks and compiles every annotation, and `typing` itself imports the regular expressions: together
a quarter of what an idle tick costs. To a type checker this is `typing.NamedTuple`. A process gets the same tuples,
which ask nothing of their annotations and compile their `__new__` when the first one is made.
"""

from __future__ import annotations

__all__ = ["NamedTuple"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from _collections import _tuplegetter  # what collections.namedtuple reads its fields with

    class _Naming(type):
        def __new__(cls, name, bases, namespace):
            if bases == (tuple,) or hasattr(bases[0], "_fields"):  # NamedTuple, or a kind of one that has its fields
                return super().__new__(cls, name, bases, namespace)
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = {field: namespace.pop(field) for field in fields if field in namespace}
            if tuple(defaults) != fields[len(fields) - len(defaults) :]:
                raise TypeError(f"{name}: fields with a default come after those without")
            namespace.update({field: _tuplegetter(index, None) for index, field in enumerate(fields)})
            namespace.update(__slots__=(), _fields=fields, __match_args__=fields, _field_defaults=defaults)
            return super().__new__(cls, name, bases, namespace)

    class NamedTuple(tuple, metaclass=_Naming):
        """What the tuples of collections.namedtuple can do."""

        __slots__ = ()

        def __new__(cls, *values, **named):
            owner = next(kind for kind in cls.__mro__ if "_fields" in vars(kind))
            owner.__new__ = staticmethod(_compiled_new(owner))
            return owner.__new__(cls, *values, **named)

        @classmethod
        def _make(cls, values):
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"{cls.__name__} takes {len(cls._fields)} values, not {len(made)}")
            return made

        def _replace(self, /, **changes):
            made = tuple.__new__(type(self), map(changes.pop, self._fields, self))
            if changes:
                raise ValueError(f"{type(self).__name__} has no field {', '.join(changes)}")
            return made

        __replace__ = _replace  # copy.replace, from Python 3.13 on

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._asdict().items())})"

        def __getnewargs__(self):
            return tuple(self)

    def _compiled_new(owner):
        names = "".join(f"{field}, " for field in owner._fields)
        new = eval(f"lambda cls, {names}: new(cls, ({names}))", {"new": tuple.__new__})  # noqa: S307 - our own names
        new.__name__, new.__qualname__ = "__new__", f"{owner.__qualname__}.__new__"
        new.__defaults__ = tuple(owner._field_defaults.values())
        return new
