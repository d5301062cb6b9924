//! Parameters with their types: so that a statement needs neither a name nor a round trip of its own, and a pooler that
//! gives every transaction another connection may stand in between.

use tokio_postgres::types::{ToSql, Type};

pub(super) type Parameters<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// A Rust type that is always the same type of PostgreSQL's.
pub(super) trait Typed {
    const TYPE: Type;
}

macro_rules! types {
    ($($rust:ty => $one:ident, $many:ident;)*) => {
        $(
            impl Typed for $rust { const TYPE: Type = Type::$one; }
            impl Typed for Option<$rust> { const TYPE: Type = Type::$one; }
            impl Typed for Vec<$rust> { const TYPE: Type = Type::$many; }
            impl Typed for Vec<Option<$rust>> { const TYPE: Type = Type::$many; }
        )*
    };
}

types! {
    bool => BOOL, BOOL_ARRAY;
    i16 => INT2, INT2_ARRAY;
    i32 => INT4, INT4_ARRAY;
    i64 => INT8, INT8_ARRAY;
    String => TEXT, TEXT_ARRAY;
    &str => TEXT, TEXT_ARRAY;
    Vec<u8> => BYTEA, BYTEA_ARRAY;
    &[u8] => BYTEA, BYTEA_ARRAY;
}

/// A value with its type.
pub(super) fn with_type<T: Typed + ToSql + Sync>(value: &T) -> (&(dyn ToSql + Sync), Type) {
    (value, T::TYPE)
}

/// The values of a statement's parameters, in their order.
macro_rules! typed {
    ($($value:expr),* $(,)?) => {
        &[$($crate::postgres::typed::with_type(&$value)),*]
    };
}
pub(super) use typed;
