//! Values that are one of several words.

use super::{
    Cow, DeValue, JsonSchema, Place, Report, Schema, SchemaGenerator, Spanned, Value, json_schema,
    word,
};
use crate::{
    connection::DeliverMethod,
    feed::{DecimalSign, FieldType, Format, Mode},
    request::{
        AbortMethod, Carrier, Join, Method, Missing, OnError, OnGone, OnStatus, Preset, Stop,
    },
};

/// The kinds of `pagination`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum PagingKind {
    None,
    Page,
    Offset,
    Cursor,
    Link,
    NextUrl,
}
word!(
    PagingKind,
    [
        ("none", Self::None),
        ("page", Self::Page),
        ("offset", Self::Offset),
        ("cursor", Self::Cursor),
        ("link", Self::Link),
        ("next_url", Self::NextUrl),
    ],
    later []
);

/// What `by` of `incremental` may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum ByKind {
    Field,
    Clock,
    Token,
    Delta,
    Here,
}
word!(
    ByKind,
    [
        ("field", Self::Field),
        ("clock", Self::Clock),
        ("token", Self::Token),
        ("delta", Self::Delta),
        ("here", Self::Here),
    ],
    later []
);

/// In which order a partner that cannot filter sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Order {
    NewestFirst,
    Any,
}
word!(Order, [("newest_first", Self::NewestFirst), ("any", Self::Any)], later []);

word!(
    OnError,
    [("fail", Self::Fail), ("retry", Self::Retry), ("ignore", Self::Ignore)],
    later []
);

word!(
    Preset,
    [
        (Self::OData.word(), Self::OData),
        (Self::Ckan.word(), Self::Ckan),
        (Self::Opendatasoft.word(), Self::Opendatasoft),
        (Self::JsonApi.word(), Self::JsonApi),
        (Self::Sdmx.word(), Self::Sdmx),
        (Self::Bus.word(), Self::Bus),
    ],
    later []
);

word!(
    Carrier,
    [("query", Self::Query), ("body", Self::Body), ("header", Self::Header)],
    later []
);
word!(Method, [("GET", Self::Get), ("POST", Self::Post)], later []);
word!(
    AbortMethod,
    [("DELETE", Self::Delete), ("POST", Self::Post), ("PUT", Self::Put)],
    later []
);
word!(
    Stop,
    [
        ("empty", Self::Empty),
        ("short", Self::Short),
        ("more", Self::More),
        ("total", Self::Total),
        ("next", Self::Next),
        ("null", Self::Null),
    ],
    later []
);
/// What `bound` of `incremental` may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum BoundKind {
    Inclusive,
    Exclusive,
}
word!(
    BoundKind,
    [("inclusive", Self::Inclusive), ("exclusive", Self::Exclusive)],
    later []
);
word!(
    Missing,
    [("include", Self::Include), ("exclude", Self::Exclude), ("raise", Self::Raise)],
    later []
);
word!(Join, [("and", Self::And), ("repeat", Self::Repeat)], later []);
word!(OnGone, [("keep", Self::Keep), ("delete", Self::Delete)], later []);
word!(
    OnStatus,
    [
        ("empty", Self::Empty),
        ("gone", Self::Gone),
        ("retry", Self::Retry),
        ("fail", Self::Fail),
    ],
    later []
);

word!(
    Mode,
    [
        (Self::Incremental.word(), Self::Incremental),
        (Self::Snapshot.word(), Self::Snapshot),
        (Self::Append.word(), Self::Append),
    ],
    later []
);

word!(DeliverMethod, [("POST", Self::Post), ("PUT", Self::Put)], later []);
word!(
    Format,
    [
        (Self::Json.word(), Self::Json),
        (Self::Ndjson.word(), Self::Ndjson),
        (Self::Csv.word(), Self::Csv),
        (Self::Xml.word(), Self::Xml),
        (Self::Sdmx.word(), Self::Sdmx),
        (Self::Xlsx.word(), Self::Xlsx),
    ],
    later []
);
word!(DecimalSign, [(".", Self::Point), (",", Self::Comma)], later []);

/// The only rule of this version for where the rows of a sheet end.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct SheetStop;
word!(SheetStop, [("empty_key", Self)], later []);
word!(
    FieldType,
    [
        (Self::Text.word(), Self::Text),
        (Self::Integer.word(), Self::Integer),
        (Self::Decimal.word(), Self::Decimal),
        (Self::Boolean.word(), Self::Boolean),
        (Self::Date.word(), Self::Date),
        (Self::HijriDate.word(), Self::HijriDate),
        (Self::Timestamp.word(), Self::Timestamp),
        (Self::Period.word(), Self::Period),
        (Self::EmiratesId.word(), Self::EmiratesId),
        (Self::Phone.word(), Self::Phone),
        (Self::Enum.word(), Self::Enum),
        (Self::Json.word(), Self::Json),
    ],
    later []
);
