//! Where a parameter stands in a JSON body.
//!
//! The check of the configuration and the request look here alone, so that what is checked is what is sent.

use serde_json::{Map, Value};

/// Why a path leads to no place in a body: something stands on the way that would be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPlace {
    /// A list that has no such item. `items`: how many it has; a new one goes behind the last.
    Item { at: String, step: String, items: usize },
    /// A text, a number or a flag, which nothing stands in.
    Closed { at: String, step: String },
}

/// The place at a path of steps parted by dots. In an object a step is a name, and what is not there is made, as an object. In
/// a list it is the number of an item, from 0; the one behind the last is added.
///
/// # Errors
/// [`NoPlace`] if that would lose what stands on the way.
pub fn place<'b>(body: &'b mut Value, path: &str) -> Result<&'b mut Value, NoPlace> {
    let (mut here, mut at) = (body, 0);
    for step in path.split('.') {
        let way = || path.get(..at).unwrap_or_default().trim_end_matches('.').to_owned();
        if here.is_null() {
            *here = Value::Object(Map::new());
        }
        here = match here {
            Value::Object(members) => members.entry(step).or_insert(Value::Null),
            Value::Array(items) => {
                let (has, number) = (items.len(), number(step));
                if number == Some(has) {
                    items.push(Value::Null);
                }
                let item = number.and_then(|number| items.get_mut(number));
                item.ok_or_else(|| NoPlace::Item { at: way(), step: step.to_owned(), items: has })?
            }
            _ => return Err(NoPlace::Closed { at: way(), step: step.to_owned() }),
        };
        at += step.len() + 1;
    }
    Ok(here)
}

/// The number of an item, as it is written in one way.
fn number(step: &str) -> Option<usize> {
    step.parse().ok().filter(|number: &usize| number.to_string() == step)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_lost_on_the_way_to_a_place() {
        let item = |at: &str, step: &str, items| {
            Err(NoPlace::Item { at: at.to_owned(), step: step.to_owned(), items })
        };
        let closed = |at: &str, step: &str| {
            Err(NoPlace::Closed { at: at.to_owned(), step: step.to_owned() })
        };
        for (body, path, expected, why) in [
            (json!({}), "a.b", Ok(json!({ "a": { "b": 7 } })), "objects are made"),
            (json!({ "a": null }), "a.1", Ok(json!({ "a": { "1": 7 } })), "a name, in no list"),
            (json!({ "a": [{ "v": 1 }, 2] }), "a.0.v", Ok(json!({ "a": [{ "v": 7 }, 2] })), "item"),
            (json!({ "a": [1] }), "a.1.v", Ok(json!({ "a": [1, { "v": 7 }] })), "a new item"),
            (json!([1]), "1", Ok(json!([1, 7])), "of a body that is a list"),
            (json!({ "a": [1] }), "a.2", item("a", "2", 1), "a gap"),
            (json!({ "a": [1] }), "a.00", item("a", "00", 1), "no number of ours"),
            (json!({ "a": { "b": [] } }), "a.b.v", item("a.b", "v", 0), "a name in a list"),
            (json!({ "a": "x" }), "a.v", closed("a", "v"), "within a text"),
            (json!({ "a": [1] }), "a.0.v", closed("a.0", "v"), "within a number"),
            (json!("x"), "v", closed("", "v"), "of a body that is a text"),
        ] {
            let mut put = body.clone();
            let end = place(&mut put, path).map(|place| *place = json!(7));
            assert_eq!(end.map(|()| put), expected, "{why}");
        }
    }
}
