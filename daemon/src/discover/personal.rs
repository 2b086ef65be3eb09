//! What may be about people: columns by the words of their names, and nested values by what is in them.

use super::{
    column::words,
    form::{PHONES, is_card},
    node::Node,
};

/// Words that say of a column, beside those of telephones, that it may be about a person, or may hold whatever somebody typed.
const PERSONAL: &[&str] = &[
    "eid",
    "emirates",
    "name",
    "names",
    "fullname",
    "firstname",
    "lastname",
    "surname",
    "email",
    "mail",
    "address",
    "birth",
    "dob",
    "birthdate",
    "passport",
    "iban",
    "note",
    "notes",
    "remark",
    "remarks",
    "comment",
    "comments",
    "summary",
    // Of them a number tells too who somebody is.
    "mother",
    "father",
    "هوية",
    "الهوية",
    "هويه",
    "الهويه",
    "اسم",
    "الاسم",
    "بريد",
    "البريد",
    "عنوان",
    "العنوان",
    "ميلاد",
    "الميلاد",
    "جواز",
    "الجواز",
    "ملاحظات",
    "ملاحظة",
];
/// Words for people: what bears one is about them, whatever else it is about.
const OF_PEOPLE: &[&str] = &[
    "patient",
    "student",
    "applicant",
    "guardian",
    "child",
    "children",
    "spouse",
    "wife",
    "husband",
    "mother",
    "father",
    "beneficiary",
    "victim",
    "witness",
    "citizen",
    "assignee",
    "username",
];
/// Words for what is nobody else's business.
const INTIMATE: &[&str] = &[
    "ssn",
    "mrn",
    "visa",
    "nationality",
    "religion",
    "gender",
    "sex",
    "salary",
    "wage",
    "photo",
    "signature",
    "fingerprint",
    "biometric",
    "allergy",
    "allergies",
    "medication",
    "disability",
    "disabilities",
    "blood",
    "bloodgroup",
    "icd",
    "icd10",
    "vaccine",
    "vaccination",
    "diagnosis",
    "diagnoses",
    "death",
    "national",
];
/// Words that make the name of a thing of it.
const OF_THINGS: &[&str] = &[
    "area",
    "region",
    "city",
    "emirate",
    "school",
    "agency",
    "department",
    "service",
    "indicator",
    "file",
    "clinic",
    "hospital",
    "org",
    "organization",
    "organisation",
    "المنطقة",
    "المدرسة",
    "الجهة",
];

/// Whether a column of that name, which is made of those words, may be about a person.
pub(super) fn is_sensitive(words: &[String], name: &str) -> bool {
    // `emails` is of several, and `mobilephone` or `homeaddress` end with what they are.
    let is = |word: &str, list: &[&str]| {
        let one = word.strip_suffix('s').unwrap_or(word);
        list.contains(&word) || list.contains(&one)
    };
    let has = |list: &[&str]| words.iter().any(|word| is(word, list));
    let ends = |with: &[&str]| {
        words.iter().any(|word| {
            let word = word.strip_suffix("es").or(word.strip_suffix('s')).unwrap_or(word);
            with.iter().any(|end| word.ends_with(end.strip_suffix('s').unwrap_or(end)))
        })
    };
    let whole = [
        "هوية",
        "هويه",
        "تشخيص",
        "جنسية",
        "ديانة",
        "فصيلة",
        "إعاقة",
        "اعاقة",
        "موبايل",
        "طبي",
        "مرض",
    ];
    let told = whole.iter().any(|part| name.contains(part));
    let named = has(PERSONAL) || has(PHONES) || ends(&["phone", "address", "email"]);
    let of_things = words.iter().any(|word| OF_THINGS.contains(&word.as_str()));
    // Whose number it is says the number alone, and mostly it is what tells records apart.
    let number = ["id", "uuid", "guid", "key", "code", "no", "number", "ref", "reference"];
    let is_number = words.last().is_some_and(|last| number.contains(&last.as_str()));
    told || (has(OF_PEOPLE) && !is_number) || has(INTIMATE) || (named && !of_things)
}

/// As deep as nested values are looked through.
const DEPTH: usize = 4;

/// Whether something within a nested value is called as what is about people is, or is a card.
pub(super) fn is_about_people(node: &Node, depth: usize) -> bool {
    let below = |node: &Node| depth < DEPTH && is_about_people(node, depth + 1);
    let named = |name: &str| is_sensitive(&words(name), name);
    node.members().iter().any(|(name, value)| named(name) || below(value))
        || node.items().iter().any(below)
        || is_card(node)
}
