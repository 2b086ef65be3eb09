//! Mistakes in how documents are handed over.

use super::{HTTP, PARTNER, one_mistake};

#[test]
fn of_deliveries() {
    for (line, expected) in [
        (
            "deliver = {}",
            "connection.api.deliver.path: is missing; add where documents are put, behind `base_url`",
        ),
        (
            "deliver = { path = \"v1\" }",
            "connection.api.deliver.path: \"v1\" does not begin with /; write what stands behind `base_url`, such as \"/v1/records\"",
        ),
        (
            "deliver = { path = \"/a b\" }",
            "connection.api.deliver.path: \"/a b\" has a #, a blank or a control character; write it percent-encoded, as %23 or %20",
        ),
        (
            "deliver = { method = \"GET\", path = \"/v1\" }",
            "connection.api.deliver.method: \"GET\" is unknown; use \"POST\" or \"PUT\"",
        ),
        (
            "deliver = { path = \"/v1\", success = { path = \"$.ok\", equals = [true], on_error = \"ignore\" } }",
            "connection.api.deliver.success.on_error: \"ignore\" would take a refusal for a receipt; write \"fail\" if the document is rejected then, \"retry\" if it is to be offered again",
        ),
        (
            "deliver = { path = \"/v1\", success = { error = \"$.error\", empty = [\"none\"] } }",
            "connection.api.deliver.success.empty: means nothing of a document; take it out",
        ),
        (
            "deliver = { path = \"/v1\", status_path = \"/v1\" }",
            "connection.api.deliver.status_path: \"/v1\" does not say which document; put {key} where the Idempotency-Key belongs",
        ),
    ] {
        one_mistake(&[PARTNER, HTTP], line, expected);
    }
}
