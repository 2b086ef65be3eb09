//! The datasets of the agencies, a table each.

use marsad_shared::feed::FieldType;

use super::{Column, Dataset, Make};

const fn column(name: &'static str, kind: FieldType, make: Make) -> Column {
    Column { name, kind, sensitive: false, make }
}

/// Health authority: visits of families to clinics.
pub const VISITS: Dataset = Dataset {
    feed: "visits",
    columns: &[
        column("visit_id", FieldType::Text, Make::Key("V")),
        column("family_ref", FieldType::Text, Make::Family),
        column("clinic", FieldType::Text, Make::One(CLINICS)),
        column("visited_on", FieldType::Date, Make::Day),
        column(
            "service",
            FieldType::Text,
            Make::One(&["vaccination", "antenatal", "dental", "follow-up"]),
        ),
        column("status", FieldType::Text, Make::State(&["booked", "attended", "missed", "closed"])),
        column("updated_at", FieldType::Timestamp, Make::Changed),
    ],
};

/// Child protection centre: notices.
pub const NOTICES: Dataset = Dataset {
    feed: "notices",
    columns: &[
        column("notice_id", FieldType::Text, Make::Key("N")),
        column("family_ref", FieldType::Text, Make::Family),
        column(
            "category",
            FieldType::Text,
            Make::One(&["neglect", "absence", "conflict", "health"]),
        ),
        column("urgency", FieldType::Integer, Make::Number(5)),
        column("area", FieldType::Text, Make::One(AREAS)),
        column("open", FieldType::Boolean, Make::Flag),
        column("updated_at", FieldType::Timestamp, Make::Changed),
    ],
};

/// Police: referrals between agencies.
pub const REFERRALS: Dataset = Dataset {
    feed: "referrals",
    columns: &[
        column("referral_no", FieldType::Text, Make::Key("P")),
        column("from_agency", FieldType::Text, Make::One(&["police", "school", "clinic"])),
        column("to_agency", FieldType::Text, Make::One(&["social", "child-protection", "courts"])),
        column("family_ref", FieldType::Text, Make::Family),
        column("state", FieldType::Text, Make::State(&["opened", "taken", "answered", "closed"])),
        column("updated_at", FieldType::Timestamp, Make::Changed),
    ],
};

/// Education authority: enrolments, with a column that is masked wherever it is shown.
pub const ENROLMENTS: Dataset = Dataset {
    feed: "enrolments",
    columns: &[
        column("id", FieldType::Text, Make::Key("E")),
        column("family_ref", FieldType::Text, Make::Family),
        Column {
            name: "child_eid",
            kind: FieldType::EmiratesId,
            sensitive: true,
            make: Make::EmiratesId,
        },
        column("grade", FieldType::Integer, Make::Number(12)),
        column("school", FieldType::Text, Make::One(SCHOOLS)),
        column("absence_days", FieldType::Integer, Make::Number(30)),
        column("updated_at", FieldType::Timestamp, Make::Changed),
    ],
};

/// Housing department: requests, sent as files.
pub const REQUESTS: Dataset = Dataset {
    feed: "requests",
    columns: &[
        column("request_no", FieldType::Text, Make::Key("H")),
        column("family_ref", FieldType::Text, Make::Family),
        column("area", FieldType::Text, Make::One(AREAS)),
        column("support", FieldType::Text, Make::One(&["rent", "loan", "repair", "plot"])),
        column("asked_on", FieldType::Date, Make::Day),
        column("amount", FieldType::Decimal, Make::Amount),
        column(
            "status",
            FieldType::Text,
            Make::State(&["received", "in review", "approved", "paid"]),
        ),
        column("updated_at", FieldType::Timestamp, Make::Changed),
    ],
};

/// Employment department: income by area; slow to answer.
pub const INCOME: Dataset = Dataset {
    feed: "income",
    columns: &[
        column("series", FieldType::Text, Make::Key("S")),
        column("area", FieldType::Text, Make::One(AREAS)),
        column("value", FieldType::Decimal, Make::Amount),
        column("status", FieldType::Text, Make::State(&["provisional", "revised", "final"])),
        column("updated_at", FieldType::Timestamp, Make::Changed),
    ],
};

const CLINICS: &[&str] = &["عيادة المجاز", "Al Qasimia clinic", "عيادة مويلح", "Wasit clinic"];
const SCHOOLS: &[&str] = &["مدرسة النور", "Al Noor school", "مدرسة الأمل", "Wasit school"];
const AREAS: &[&str] = &["Al Majaz", "المجاز", "Muwaileh", "مويلح", "Al Qasimia", "Wasit"];
