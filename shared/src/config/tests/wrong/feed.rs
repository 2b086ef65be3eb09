//! Mistakes in a feed and its columns.

use super::{FEED, HTTP, PARTNER, one_mistake, said_of};

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn of_a_feed_over_http() {
    for (line, expected) in [
        ("pth = \"/x\"", "pth: unknown key; did you mean path?"),
        (
            "version = \"sq\"\nfields = { no = \"text\", seq = \"integer\" }",
            "version: \"sq\" is not a field; add it to `fields`, or name one that is there",
        ),
        (
            "version = \"open\"\nfields = { no = \"text\", open = \"boolean\" }",
            "version: \"open\" is of a type that does not tell newer from older; name a number, a time or a text that grows",
        ),
        (
            "version = \"no\"",
            "version: is part of the key, so that no record has two of it; name a column that changes, or take it out",
        ),
        ("files = \"*.csv\"", "!4: feed.cases: has both path and files; make two feeds of it"),
        (
            "records = \"data\"",
            "records: \"data\" is not a JSONPath (see character 1); write one such as \"$.data[*]\", or add format = \"xml\" for a path of local names",
        ),
        (
            "deletes = \"$.gone[\"",
            "deletes: \"$.gone[\" is not a JSONPath (see character 7); write one such as \"$.data[*]\" or \"$.meta.next\"",
        ),
        (
            "pagination = { kind = \"cursor\", param = \"a\", next = \"$.n\", more = \"$.m\", end = \"$.e\" }",
            "pagination.end: stands beside more; write one of the two",
        ),
        (
            "incremental = { by = \"here\", field = \"at\", join = \"and\" }",
            "incremental.join: does not belong to this kind of cursor; take it out",
        ),
        (
            "incremental = { by = \"clock\", param = \"since\", join = \"and\" }",
            "incremental.join: makes one condition of two, and `value` does not say how ours is written; add `value`, such as \"{field} >= {cursor}\", or write \"repeat\" if the partner takes both",
        ),
        (
            "incremental = { by = \"clock\", param = \"Since\", place = \"header\", join = \"repeat\" }",
            "incremental.join: means nothing where the parameter does not stand in the query; take it out",
        ),
        (
            "changed = { path = \"/m\", at = \"$.m\" }\nfields = { no = \"text\", at = \"timestamp\" }\nincremental = { field = \"at\", param = \"a\", until_param = \"b\", start = \"2020-01-01T00:00:00Z\" }",
            "changed: would pass over what came behind the end of a stretch (`until_param`); take one of the two out",
        ),
        (
            "sweep = { every = \"1d\" }",
            "sweep: means nothing without incremental: all of it is read each time; take it out",
        ),
        (
            "sweep = { every = \"1d\" }\nincremental = { by = \"clock\", param = \"since\" }\nmode = \"append\"",
            "sweep: finds what is gone, and mode = \"append\" never takes a record back; take it out",
        ),
        (
            "sweep = { every = \"1d\" }\nfields = { no = \"text\", at = \"timestamp\" }\nincremental = { field = \"at\", param = \"a\", until_param = \"b\", start = \"2020-01-01T00:00:00Z\" }",
            "sweep: would take for gone what changed behind the end of a stretch (`until_param`); take it out",
        ),
        (
            "sweep = { every = \"1d\" }\nfields = { no = \"text\", at = \"timestamp\" }\nincremental = { field = \"at\", param = \"a\", start = \"2020-01-01T00:00:00Z\" }",
            "sweep: would take for gone what is older than `start`; take it out",
        ),
        (
            "nothing = [\"-\"]",
            "nothing: means nothing without fields whose values it is about; take it out",
        ),
        (
            "records_may_lack = true",
            "records_may_lack: means nothing where the list is all there is; take it out",
        ),
        (
            "records_may_lack = true\nformat = \"ndjson\"",
            "records_may_lack: means nothing to a format that is neither JSON nor XML; take it out",
        ),
        ("deleted = { field = \"op\" }", "deleted.values: is missing; add it to this block"),
        (
            "deleted = { field = \"op\", values = [] }",
            "deleted.values: names no value; write what stands there in a deletion, such as [\"delete\"] or [\"true\"]",
        ),
        (
            "deleted = { field = \"$.ops[*]\", values = [\"delete\"] }",
            "deleted.field: \"$.ops[*]\" chooses by something else than [0], [-1] or [?@.kind=='value'] (see character 7); write a name, or a path such as \"$.child.eid\", \"$.partner[0]\" or \"$.ids[?@.kind=='card'].value\"",
        ),
        (
            "format = \"xml\"",
            "!4: feed.cases.records: is missing; write the local names that lead to a record, such as \"Envelope/Body/Reply/Case\"",
        ),
        (
            "pagination = { kind = \"page\" }",
            "pagination.param: is missing; add it to `pagination`",
        ),
        (
            "pagination = { kind = \"pages\", param = \"p\" }",
            "pagination.kind: \"pages\" is unknown; use \"none\", \"page\", \"offset\", \"cursor\", \"link\" or \"next_url\"",
        ),
        (
            "pagination = { kind = \"cursor\", param = \"a\", next = \"$.n\", start = 1 }",
            "pagination.start: does not belong to this kind; take it out",
        ),
        (
            "incremental = { by = \"clock\", param = \"filters.value\", place = \"body\" }\njson = { filters = [{ value = 1 }] }",
            "incremental.param: \"filters.value\" has no place: \"filters\" is a list of 1, without an item \"value\"; write the number of an item, from 0, or 1 to add one",
        ),
        (
            "pagination = { kind = \"page\", param = \"page.number\", place = \"body\" }\njson = { page = \"all\" }",
            "pagination.param: \"page.number\" has no place: \"page\" is no object, and would be lost for \"number\"; mend the path, or make an object or a list of what stands there",
        ),
        (
            "pagination = { kind = \"page\", param = \"page\", place = \"body\", size_param = \"page.size\", size = 10 }\njson = {}",
            "pagination.size_param: \"page.size\" has no place: \"page\" is no object, and would be lost for \"size\"; mend the path, or make an object or a list of what stands there",
        ),
        (
            "pagination = { kind = \"cursor\", param = \"a\" }",
            "pagination.next: is missing; add it to `pagination`",
        ),
        (
            "pagination = { kind = \"cursor\", param = \"a\", next = \"$.\" }",
            "pagination.next: \"$.\" is not a JSONPath (see character 3); write one such as \"$.data[*]\" or \"$.meta.next\"",
        ),
        (
            "pagination = { kind = \"link\", size = 100 }",
            "pagination.size: has no parameter to travel in; add size_param, the parameter that carries it",
        ),
        (
            "pagination = { kind = \"link\", size = 0, size_param = \"n\" }",
            "pagination.size: is an empty page; write at least 1",
        ),
        (
            "pagination = { kind = \"page\", param = \"p\", overlap = 1 }",
            "pagination.overlap: does not belong to this kind; take it out",
        ),
        (
            "pagination = { kind = \"offset\", param = \"o\", overlap = 101 }",
            "pagination.overlap: is more than 100 records; write fewer: one shows that pages join",
        ),
        (
            "pagination = { kind = \"offset\", param = \"o\", overlap = 5, size = 5, size_param = \"n\" }",
            "pagination.overlap: is a whole page; write less than `size`",
        ),
        (
            "pagination = { kind = \"link\", max_pages = -1 }",
            "pagination.max_pages: \"-1\" is out of range; write a whole number from 0 on",
        ),
        (
            "pagination = { kind = \"link\", replaces = [\"from\"] }",
            "pagination.replaces: does not belong to this kind; take it out",
        ),
        (
            "pagination = { kind = \"cursor\", param = \"a\", next = \"$.n\", next_header = \"X-Next\" }",
            "pagination.next_header: stands beside next; write one of the two",
        ),
        (
            "pagination = { kind = \"link\", stop = \"short\" }",
            "pagination.stop: needs kind `page` or `offset`; add it, or use another rule",
        ),
        (
            "pagination = { kind = \"page\", param = \"p\", stop = \"more\" }",
            "pagination.stop: needs more or end; add it, or use another rule",
        ),
        (
            "pagination = { kind = \"page\", param = \"p\", place = \"body\" }",
            "pagination.place: puts parameters into a body, and the request has none; add json, form or text to the feed, or use \"query\"",
        ),
        (
            "pagination = { kind = \"page\", param = \"p\", total = \"$.n\", total_pages = \"$.m\" }",
            "pagination.total_pages: stands beside total; write one of the two",
        ),
        (
            "pagination = { kind = \"page\", param = \"p\", total = \"$.n\", total_header = \"X-N\" }",
            "pagination.total_header: stands beside total; write one of the two",
        ),
        (
            "pagination = { kind = \"page\", param = \"p\", total_header = \"X-N\", total_pages = \"$.m\" }",
            "pagination.total_pages: stands beside total_header; write one of the two",
        ),
        (
            "pagination = { kind = \"page\", param = \"p\", total_header = \"X N\" }",
            "pagination.total_header: \"X N\" is not the name of a header; write a name such as \"X-Api-Key\"",
        ),
        ("pagination = { param = \"p\" }", "pagination.kind: is missing; add it to this block"),
        (
            "method = \"GET\"\njson = { q = 1 }",
            "method: carries no body; use \"POST\", or take the body out",
        ),
        (
            "form = { q = \"1\" }\njson = { q = 1 }",
            "form: is a second body; write one of json, form and text",
        ),
        (
            "headers = { Authorization = \"Bearer x\" }",
            "headers.Authorization: is a header of Marsad's own; take it out; what proves who we are belongs into `auth`",
        ),
        (
            "success = { path = \"$.ok\" }",
            "success.equals: is missing; add what stands there in a good answer, such as [true]",
        ),
        (
            "success = { on_error = \"retry\" }",
            "success: must have exactly one of path and error; write { path = \"$.success\", equals = [true] } or { error = \"$.error\" }",
        ),
        (
            "statuses = { 200 = \"empty\" }",
            "statuses.200: \"200\" is not the status of an error; write one from 400 to 599",
        ),
        (
            "statuses = { 403 = \"gone\" }\nincremental = { by = \"clock\", param = \"t\" }",
            "statuses.403: 403 says that the partner fails or refuses us, not that our cursor is too old; use \"retry\" or \"fail\", or take it out",
        ),
        (
            "statuses = { 400 = \"gone\" }",
            "statuses.400: speaks of a cursor, and the feed has none; take it out, or add incremental",
        ),
        (
            "preset = \"odate\"",
            "preset: \"odate\" is unknown; use \"odata\", \"ckan\", \"opendatasoft\", \"jsonapi\", \"sdmx\" or \"bus\"",
        ),
        (
            "incremental = { by = \"token\", param = \"t\" }",
            "incremental.token: is missing; add it to `incremental`",
        ),
        (
            "incremental = { by = \"clock\", param = \"t\", field = \"x\" }",
            "incremental.field: does not belong to this kind of cursor; take it out",
        ),
        (
            "incremental = { field = \"x\", param = \"t\", value = \"gt\" }",
            "incremental.value: \"gt\" does not hold the cursor; put {cursor} where it belongs",
        ),
        (
            "incremental = { field = \"x\", param = \"t\", format = \"iso\" }",
            "incremental.format: \"iso\" is no form of a time; write \"unix\", \"unix_ms\", or one such as \"%Y-%m-%dT%H:%M:%SZ\"",
        ),
        (
            "incremental = { field = \"no\", param = \"t\", missing = \"raise\" }",
            "incremental.missing: needs to know the columns beforehand; write the columns into `fields`",
        ),
        (
            "incremental = { by = \"token\", param = \"t\", token = \"$.t\", bound = \"exclusive\" }",
            "incremental.bound: does not belong to this kind of cursor; take it out",
        ),
        (
            "incremental = { field = \"x\", param = \"t\", bound = \"exclusive\" }\nfields = { no = \"text\", x = \"decimal\" }",
            "incremental.bound: \"x\" of type decimal has no step to go back by; have the partner include the bound, or type the field as a time or a whole number",
        ),
        (
            "incremental = { field = \"x\", param = \"t\", step = \"1d\" }",
            "incremental.step: means nothing without until_param; take it out",
        ),
        (
            "export = { status = \"/e/{id}\", done = [\"ok\"], download = \"$.url\", abort = \"/e\" }\nfields = { no = \"text\" }",
            "export.abort: \"/e\" does not say which export; put {id} where it belongs",
        ),
        (
            "export = { status = \"/e/{id}\", done = [\"ok\"], download = \"$.url\", abort = { method = \"GET\", path = \"/e/{id}\" } }\nfields = { no = \"text\" }",
            "export.abort.method: \"GET\" is unknown; use \"DELETE\", \"POST\" or \"PUT\"",
        ),
        (
            "export = { status = \"/e/{id}\", done = [\"ok\"], download = \"/f/{id}\", from = \"https://s.example\" }\nfields = { no = \"text\" }",
            "export.from: means nothing to a file behind `base_url`; write where the answer says its URL: download = \"$.url\"",
        ),
        (
            "export = { status = \"/e/{id}\", done = [\"ok\"], download = \"$.url\", from = \"https://s.example/x\" }\nfields = { no = \"text\" }",
            "export.from: \"https://s.example/x\" is more than an origin; write what stands before the path",
        ),
        (
            "each = { feed = \"records\", column = \"no\" }",
            "each.column: \"no\" is not in path \"/cases\"; put {no} into path where it belongs",
        ),
        (
            "export = { status = \"/e/{id}\", done = [\"ok\"], download = \"$.url\" }",
            "export: needs to know the columns beforehand; write the columns into `fields`",
        ),
        (
            "pagination = { kind = \"link\", max_pages = 0 }",
            "pagination.max_pages: reads nothing; write at least 1, or take it out",
        ),
        (
            "schedule = { every = \"5 parsecs\" }",
            "schedule.every: \"5 parsecs\" is not a duration; write it as \"30s\", \"15m\", \"6h\" or \"2d\"",
        ),
        (
            "schedule = { every = \"10ms\" }",
            "schedule.every: is shorter than a second; write at least \"1s\"",
        ),
        (
            "schedule = {}",
            "schedule: must have exactly one of every and cron; write { every = \"15m\" } or { cron = \"0 6 * * *\" }",
        ),
        (
            "schedule = { cron = \"0 6 * *\" }",
            "schedule.cron: \"0 6 * *\" has 4 fields; give five fields: minute, hour, day of month, month, day of week",
        ),
        (
            "schedule = { cron = \"0 6 31 2 *\" }",
            "schedule.cron: \"0 6 31 2 *\" never comes; name a day that there is",
        ),
        (
            "schedule = { cron = \"0 6 * * *\", zone = \"Mars\" }",
            "schedule.zone: \"Mars\" is not a time zone; write it as an IANA name such as \"Asia/Dubai\"",
        ),
        (
            "schedule = { every = \"1h\", zone = \"UTC\" }",
            "schedule.zone: means nothing without cron; take it out",
        ),
        ("freshness = { grace = \"1h\" }", "freshness.every: is missing; add it to this block"),
        (
            "freshness = { every = \"1h\", grace = \"5h\" }",
            "freshness.grace: ends after error_after, so that nobody would be warned before the error; write a shorter grace, or a longer error_after",
        ),
        (
            "freshness = { by = \"10:00\", every = \"1d\" }",
            "freshness.by: is not read by this version; take it out",
        ),
        (
            "encoding = \"windows-1257-ar\"",
            "encoding: \"windows-1257-ar\" is no encoding; use one of the WHATWG's labels, such as \"utf-8\", \"windows-1256\" or \"utf-16le\"",
        ),
        (
            "encoding = \"windows-1256\"\nformat = \"xml\"\nrecords = \"a/b\"",
            "encoding: means nothing to XML, which says itself in which encoding it is; take it out",
        ),
        (
            "mode = \"mirror\"",
            "mode: \"mirror\" is unknown; use \"incremental\", \"snapshot\" or \"append\"",
        ),
        (
            "incremental = { by = \"clock\", param = \"since\" }\nmode = \"snapshot\"",
            "incremental: reads only what changed, and a snapshot is all there is; take it out, or take mode = \"snapshot\" out",
        ),
        (
            "deleted = { field = \"gone\", values = [\"1\"] }\nmode = \"append\"",
            "deleted: says which records are gone, and mode = \"append\" never takes one back; take it out, or take mode = \"append\" out",
        ),
        (
            "min_rows = 3",
            "min_rows: means nothing where only what changed is read: a run without rows is the usual one; take it out",
        ),
        (
            "max_delete_share = 20",
            "max_delete_share: \"20\" is not a share; write a number from 0 to 1, such as 0.2 for a fifth",
        ),
        (
            "max_delete_share = \"20 %\"",
            "max_delete_share: is text, not a share; write it as a number from 0 to 1, such as 0.2",
        ),
        ("undo = \"0s\"", "undo: is no time at all; write a longer one"),
        ("history_age = \"30d\"", "history_age: means nothing without history = true; take it out"),
        (
            "history_versions = 0\nhistory = true",
            "history_versions: 0 is not a number of versions; write one from 1 on, or history = false",
        ),
        ("entries = \"*.csv\"", "entries: means nothing without files; take it out"),
        (
            "sheet = 1\nformat = \"json\"",
            "sheet: means nothing to a format that is not XLSX; take it out",
        ),
        (
            "stop = \"empty_key\"\nformat = \"csv\"",
            "stop: means nothing to a format that is not XLSX; take it out",
        ),
        (
            "delimiter = \"||\"",
            "delimiter: \"||\" is not a delimiter; write one ASCII character, such as \";\" or \"\\t\"",
        ),
        (
            "header_row = 0",
            "header_row: 0 is not the line of a header; write its line, from 1 to 10000",
        ),
        ("decimal = \"٫\"", "decimal: \"٫\" is unknown; use \".\" or \",\""),
    ] {
        match expected.strip_prefix('!') {
            Some(expected) => {
                let said = said_of(&format!("{PARTNER}{HTTP}{FEED}{line}\n"));
                assert_eq!(said, [expected.replace("4:", "6:")], "{line}");
            }
            None => one_mistake(&[PARTNER, HTTP, FEED], line, &format!("feed.cases.{expected}")),
        }
    }
}

#[test]
fn of_columns() {
    for (line, expected) in [
        ("fields = { noo = \"text\" }", "!key: \"no\" is not a field; did you mean noo?"),
        (
            "fields = { zzz = \"text\" }",
            "!key: \"no\" is not a field; add it to `fields`, or name one that is there",
        ),
        ("fields = {}", "fields: names no field; name the columns, or take it out"),
        (
            "fields = { no = \"string\" }",
            "fields.no: \"string\" is unknown; use \"text\", \"integer\", \"decimal\", \"boolean\", \"date\", \"hijri_date\", \"timestamp\", \"period\", \"emirates_id\", \"phone\", \"enum\" or \"json\"",
        ),
        (
            "fields = { no = 5 }",
            "fields.no: is a whole number, not a table; write it as a type, or { type = \"text\", from = \"…\" }",
        ),
        ("fields = { no = {} }", "fields.no.type: is missing; add it to this block"),
        (
            "fields = { no = \"text\", _run = \"text\" }",
            "fields._run: \"_run\" is a name that the bank keeps for itself; give the field another name, and this one as its `from`",
        ),
        (
            "fields = { no = \"text\", RowID = \"text\" }",
            "fields.RowID: \"RowID\" is a name that the bank keeps for itself; give the field another name, and this one as its `from`",
        ),
        (
            "fields = { no = \"text\", \"\" = \"text\" }",
            "fields.: \"\" is no name for a column; give the field another name, and this one as its `from`",
        ),
        (
            "fields = { no = \"text\", No = \"text\" }",
            "fields.No: \"No\" differs from another field by case alone; give the field another name, and this one as its `from`",
        ),
        (
            "fields = { no = { type = \"text\", from = [] } }",
            "fields.no.from: names nothing; name where the field stands, or take it out",
        ),
        (
            "fields = { no = { type = \"text\", from = \"$[0].a\" } }",
            "fields.no.from: \"$[0].a\" begins with a choice, and a record is no list (see character 5); write a name, or a path such as \"$.child.eid\", \"$.partner[0]\" or \"$.ids[?@.kind=='card'].value\"",
        ),
        (
            "fields = { no = { type = \"text\", format = \"%d\" } }",
            "fields.no.format: means nothing to a type that is neither date nor timestamp; take it out",
        ),
        (
            "fields = { no = { type = \"date\", format = \"%d/%m\" } }",
            "fields.no.format: \"%d/%m\" does not say which day; write it as in strftime, such as \"%d/%m/%Y\"",
        ),
        (
            "fields = { no = { type = \"timestamp\", format = \"%d/%m/%Y %I:%M\" } }",
            "fields.no.format: \"%d/%m/%Y %I:%M\" does not say which half of the day; write %H for hours up to 23, or %p behind %I",
        ),
        (
            "fields = { no = { type = \"date\", format = \"unix\" } }",
            "fields.no.format: \"unix\" does not say which day; write it as in strftime, such as \"%d/%m/%Y\"",
        ),
        (
            "fields = { no = { type = \"date\", zone = \"UTC\" } }",
            "fields.no.zone: means nothing to a type that is not timestamp; take it out",
        ),
        (
            "fields = { no = { type = \"text\", sensitive = \"yes\" } }",
            "fields.no.sensitive: is text, not true or false; write it as true or false, without quotes",
        ),
        (
            "incremental = { field = \"at\", param = \"since\" }\nfields = { no = \"text\" }",
            "incremental.field: \"at\" is not a field; add it to `fields`, or name one that is there",
        ),
        (
            "incremental = { field = \"no\", param = \"since\" }\nfields = { no = \"json\" }",
            "incremental.field: \"no\" of type json has no greatest value; name a timestamp or a number that grows",
        ),
        (
            "incremental = { field = \"no\", param = \"since\", lookback = \"1h\" }\nfields = { no = \"integer\" }",
            "incremental.lookback: is for times, and \"no\" is none; take it out",
        ),
    ] {
        let text = format!("{PARTNER}{HTTP}{FEED}{line}\n");
        let (at, expected) =
            expected.strip_prefix('!').map_or((11, expected), |expected| (10, expected));
        assert_eq!(said_of(&text), [format!("{at}: feed.cases.{expected}")], "{line}");
    }
    let many: Vec<_> = (0..crate::feed::COLUMNS_MAX).map(|n| format!("c{n} = \"text\"")).collect();
    let said =
        said_of(&format!("{PARTNER}{HTTP}{FEED}fields = {{ no = \"text\", {} }}", many.join(", ")));
    assert_eq!(
        said,
        [
            "11: feed.cases.fields: has 1901 fields, and a table holds 1900; leave out what nobody needs"
        ]
    );
    let said = said_of(&format!("{PARTNER}{HTTP}{}", FEED.replace("\"no\"", "\"no\", \"no\"")));
    assert_eq!(said, ["10: feed.cases.key: names \"no\" twice; name it once"]);
    let said = said_of(&format!("{PARTNER}{HTTP}{}", FEED.replace("\"no\"", "")));
    assert_eq!(
        said,
        ["10: feed.cases.key: names no column; name the columns that tell one record from another"]
    );
}

#[test]
fn of_a_parameter_that_stands_in_the_path_as_well() {
    let since = "\"since\" stands in path as well, and would be said twice; take it out there (`start` says where a first read begins), or add join = \"repeat\" if the partner takes both";
    let filter = "\"$filter\" stands in path as well, and would be said twice; add join = \"and\" to make one condition of both, or \"repeat\" if the partner takes both";
    for (path, keys, expected) in [
        ("/x?since=2026&a=1", "param = \"since\"", Some(since)),
        ("/x?since=2026", "param = \"since\", join = \"repeat\"", None),
        ("/x?sinc=2026", "param = \"since\"", None),
        ("/x?since=2026", "param = \"since\", place = \"header\"", None),
        ("/x?%24filter=a", "param = \"$filter\", value = \"{field} ge {cursor}\"", Some(filter)),
        ("/x?$filter=a", "param = \"$filter\", value = \"ge {cursor}\", join = \"and\"", None),
    ] {
        let feed = FEED.replace("/cases", path);
        let text = format!("{PARTNER}{HTTP}{feed}incremental = {{ field = \"at\", {keys} }}\n");
        let expected = expected.map(|said| format!("11: feed.cases.incremental.param: {said}"));
        assert_eq!(said_of(&text), Vec::from_iter(expected), "{path} {keys}");
    }
}

#[test]
fn of_what_goes_with_a_deleted_parent() {
    let (other, feed) = (FEED.replace("cases", "other"), FEED.replace("/cases", "/cases/{no}"));
    for (keys, expected) in [
        ("", ""),
        ("gone = \"keep\"", ""),
        (
            "gone = \"delete\"",
            "each.by: is missing; add the column of this feed that holds the other record's value",
        ),
        ("by = \"no\"", "each.by: means nothing without gone = \"delete\"; take it out"),
    ] {
        let before = format!("{PARTNER}{HTTP}{other}{feed}");
        let comma = if keys.is_empty() { "" } else { ", " };
        let line = format!("each = {{ feed = \"other\", column = \"no\"{comma}{keys} }}");
        let said = said_of(&format!("{before}{line}\n"));
        let at = before.lines().count() + 1;
        let wanted: Vec<_> = [expected]
            .iter()
            .filter(|e| !e.is_empty())
            .map(|e| format!("{at}: feed.cases.{e}"))
            .collect();
        assert_eq!(said, wanted, "{line}");
    }
}
