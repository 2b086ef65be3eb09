//! Items of outer lists that have something else where their list of records belongs.

use super::rows;
use crate::reading::feed;

/// Records of the regions at a path, of which one region has the list and the other has `instead`.
fn of(records: &str, body: &str) -> (usize, usize) {
    let format = if body.starts_with('<') { "format = \"xml\"\n" } else { "" };
    let keys =
        format!("{format}records = \"{records}\"\nkey = [\"id\"]\nfields = {{ id = \"text\" }}");
    let (rows, refused) = rows(&feed(&keys), body);
    (rows.len(), refused.len())
}

#[test]
fn a_branch_without_its_list_is_counted_whichever_way_leads_to_it() {
    let items = r#"{"items":[{"id":"a"},{"id":"b"}],"open":true}"#;
    for instead in [r#"{"error":"down","open":true}"#, r#"{"items":null,"open":true}"#] {
        let list = format!(r#"{{"count":3,"regions":[{items},{instead},{items}]}}"#);
        let map =
            format!(r#"{{"count":3,"regions":{{"n":3,"a":{items},"b":{instead},"c":{items}}}}}"#);
        for (records, body) in [
            ("$.regions[*].items[*]", &list),
            ("$.regions.*.items[*]", &map),
            ("$.*.*.items[*]", &map),
            ("$.regions[0:10].items[*]", &list),
            ("$.regions[-10:].items[*]", &list),
            ("$.regions[?@.open==true].items[*]", &list),
            ("$.regions[*]['items','more'][*]", &list),
            ("$.regions[*].items.*", &list),
        ] {
            assert_eq!(of(records, body), (4, 1), "{records}: {instead}");
        }
    }
    let null = format!(r#"{{"regions":{{"a":{items},"b":null}}}}"#);
    assert_eq!(of("$.regions.*.items[*]", &null), (2, 1), "a branch that is null");
    let empty = format!(r#"{{"regions":{{"a":{items},"b":{{"items":[]}}}}}}"#);
    assert_eq!(of("$.regions.*.items[*]", &empty), (2, 0), "an empty one is there");
    let words = format!(r#"{{"total":2,"as_of":"2026","a":{items}}}"#);
    assert_eq!(of("$.*.items[*]", &words), (2, 0), "mere values stand beside the branches");
}

#[test]
fn an_element_with_an_error_in_place_of_its_records_is_counted() {
    let region = "<region><items><d id='a'/></items></region>";
    let of = |rest: &str| {
        let body = format!("<R><error>0</error>{region}{rest}{region}</R>");
        of("R/region/items/d", &body.replace(" id='a'/>", "><id>a</id></d>"))
    };
    assert_eq!(of("<region><error>server down</error></region>"), (2, 1));
    assert_eq!(of("<region><items><Exception>down</Exception></items></region>"), (2, 1));
    assert_eq!(of("<region/><region><items/></region>"), (2, 0), "an empty list may be left out");
    assert_eq!(of("<region><error>false</error></region>"), (2, 0), "it says that there is none");
    let beside = "<region><error>stale</error><items><d id='b'/></items></region>";
    assert_eq!(of(&beside.replace(" id='b'/>", "><id>b</id></d>")), (3, 0), "records are there");
    let behind = "<region><items><d id='b'/></items><error>stale</error></region>";
    assert_eq!(of(&behind.replace(" id='b'/>", "><id>b</id></d>")), (3, 0));
}
