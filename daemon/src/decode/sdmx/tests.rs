use marsad_shared::health::Reason;

use super::*;

mod rows;

/// The records of a message keyed by `A` and `T`, `-` before deletions and `!` before what is refused.
fn read_all(message: &str) -> Result<Vec<String>, DecodeError> {
    read_with(&[], message)
}

/// The same of a feed that has these columns besides.
fn read_with(others: &[&str], message: &str) -> Result<Vec<String>, DecodeError> {
    let key = Key {
        dimensions: vec![vec!["A".to_owned(), "AREA".to_owned()], vec!["T".to_owned()]],
        others: others.iter().map(|&id| vec![id.to_owned()]).collect(),
    };
    let mut found = Vec::new();
    page(message.as_bytes(), b',', &key, &mut |observed| {
        found.push(match observed {
            Observed::Record { json, standing: Standing::Here, .. } => json.to_owned(),
            Observed::Record { json, standing: Standing::Gone, .. } => format!("-{json}"),
            Observed::Record { json, standing: Standing::Part, .. } => format!("+{json}"),
            Observed::Structure(_) => return Flow::More,
            Observed::Bad { reason, .. } => format!("!{reason}"),
        });
        Flow::More
    })?;
    Ok(found)
}

/// A message in JSON of that structure, with these data sets.
fn json(levels: &str, data_sets: &str) -> String {
    format!("{{\"meta\":{{}},\"data\":{{\"structures\":[{levels}],\"dataSets\":[{data_sets}]}}}}")
}

const SERIES: &str = r#"{"dimensions":{"series":[{"id":"A","keyPosition":0,"values":[{"id":"x"},{"id":"y"}]}],
    "observation":[{"id":"T","keyPosition":1,"values":[{"value":"2025"},{"id":"2026"}]}]},
    "measures":{"observation":[{"id":"M"},{"id":"N"}]},
    "attributes":{"dataSet":[{"id":"D","values":[{"id":"d"}]}],"dimensionGroup":[{"id":"G","values":[]}],
        "series":[{"id":"S","values":[{"id":"s"},{"id":"t"}]}],"observation":[{"id":"O","values":[]}]}}"#;

#[test]
fn an_observation_has_all_that_is_said_of_it() {
    let sets = r#"{"attributes":[0],"dimensionGroupAttributes":{"0:":["of x"],":1":["of 2026"],"1:1":["of both"]},
        "series":{"0":{"attributes":[1],"observations":{"0":[1.50,"NaN","own"],"1":[784000000000001123456]}},
                  "1":{"attributes":[null],"observations":{"1":[null,2,null]}}}}"#;
    assert_eq!(
        read_all(&json(SERIES, sets)).unwrap(),
        [
            r#"{"A":"x","T":"2025","D":"d","S":"t","M":1.50,"O":"own","G":"of x"}"#,
            r#"{"A":"x","T":"2026","D":"d","S":"t","M":784000000000001123456,"G":"of x"}"#,
            r#"{"A":"y","T":"2026","D":"d","N":2,"G":"of 2026"}"#,
        ]
    );
}

#[test]
fn an_attribute_says_what_its_list_says() {
    let levels = |listed: &str| {
        SERIES
            .replace(r#"{"id":"O","values":[]}"#, &format!(r#"{{"id":"O","values":[{listed}]}}"#))
            .replace(r#"{"id":"s"},{"id":"t"}"#, r#"{"name":"US dollar/Euro"},{}"#)
    };
    let listed = r#"{"id":"a","name":"A"},{"name":"b"},{"values":["x", 1.50]},{"value":{"en":"e"}},{"value":true},
        {"ids":["a","b"]},null,{"id":"c","name":{"en":"C"}}"#;
    let unknown = |at: u8| {
        format!(
            "!value {at} in the list of \"O\" has neither an id nor a value nor a name; have the partner mend it"
        )
    };
    let said = |o: &str| format!(r#"{{"A":"x","T":"2025","S":"US dollar/Euro","M":1,"O":{o}}}"#);
    for (series, value, expected, why) in [
        (0, "0", said(r#""a""#), "its id"),
        (0, "1", said(r#""b""#), "its name, where it has no id"),
        (0, "2", said(r#""[\"x\", 1.50]""#), "several values"),
        (0, "3", said(r#""{\"en\":\"e\"}""#), "words of a language"),
        (0, "4", said(r#""true""#), "yes"),
        (0, "7", said(r#""c""#), "whatever its name is"),
        (0, "[0,7]", said(r#""[\"a\",\"c\"]""#), "several codes"),
        (0, "[0]", said(r#""[\"a\"]""#), "one of several"),
        (0, "[1,null]", said(r#""[\"b\",null]""#), "one of them is missing"),
        (0, "[]", said("").replace(r#","O":"#, ""), "none of several"),
        (0, r#""own""#, said(r#""own""#), "what is in no list"),
        (0, r#"["own"]"#, said(r#"["own"]"#), "several that are in no list, as they were written"),
        (0, "5", unknown(5), "nothing that is known"),
        (0, "6", unknown(6), "nothing at all"),
        (0, "[0,5]", unknown(5), "one of them is nothing that is known"),
        (
            1,
            "0",
            unknown(1).replace("\"O\"", "\"S\""),
            "nothing that is known, of all its observations",
        ),
    ] {
        let sets = format!(
            r#"{{"series":{{"0":{{"attributes":[{series}],"observations":{{"0":[1,null,{value}]}}}},"1":{{"attributes":[],"observations":{{"0":[2]}}}}}}}}"#
        );
        let found =
            read_all(&json(&levels(listed), &sets)).unwrap_or_else(|e| panic!("{why}: {e}"));
        assert_eq!(found, [expected.as_str(), r#"{"A":"y","T":"2025","M":2}"#], "{why}");
    }
    let series =
        |observation: &str| format!(r#"{{"series":{{"0":{{"observations":{observation}}}}}}}"#);
    let nameless = SERIES.replace(r#"{"id":"x"},{"id":"y"}"#, r#"{"name":"x"}"#);
    for (levels, sets, why) in [
        (levels(listed), series(r#"{"0":[1,null,8]}"#), "a position past the list"),
        (nameless, series(r#"{"0":[1]}"#), "a name tells no dimension"),
    ] {
        let error = read_all(&json(&levels, &sets)).expect_err(why);
        assert!(error.to_string().contains("a position names no value"), "{why}: {error}");
    }
}

#[test]
fn a_message_that_is_none_or_has_none_is_told() {
    let ml = |root: &str, inside: &str| format!("<m:{root} xmlns:m='urn:m'>{inside}</m:{root}>");
    for (message, expected, why) in [
        (json(SERIES, ""), Ok(0), "no data sets"),
        (r#"{"header":{"id":"x"}}"#.to_owned(), Err(Reason::Schema), "a header alone"),
        (
            r#"{"header":{"id":"x"},"errors":[{"code":404}]}"#.to_owned(),
            Ok(0),
            "a header, and that there are none",
        ),
        (r#"{"meta":{},"data":{},"errors":[]}"#.to_owned(), Err(Reason::Schema), "nothing said"),
        (
            format!(r#"{{"meta":{{}},"data":{{"structures":[{SERIES}]}}}}"#),
            Err(Reason::Schema),
            "a structure alone",
        ),
        (
            r#"{"errors":[{"code":100,"title":"No results found"}]}"#.to_owned(),
            Err(Reason::Schema),
            "no message",
        ),
        (r#"{"meta":{},"errors":[{"code":100}]}"#.to_owned(), Ok(0), "no results"),
        (
            r#"{"meta":{},"errors":[{"code":"500","message":"x"}]}"#.to_owned(),
            Err(Reason::RemoteFault),
            "theirs",
        ),
        (ml("Error", "<m:ErrorMessage code='100'/>"), Ok(0), "no results, in ML"),
        (
            ml("Error", "<m:ErrorMessage code='140'><t>no</t></m:ErrorMessage>"),
            Err(Reason::RemoteFault),
            "ours",
        ),
        (ml("Structure", ""), Err(Reason::Schema), "a structure and no data"),
        (ml("GenericData", ""), Ok(0), "no data sets, in ML"),
        ("DATAFLOW,A,T,OBS_VALUE".to_owned(), Ok(0), "a header alone, in CSV"),
        ("AREA,T,OBS_VALUE\nx,2026,1".to_owned(), Err(Reason::NotJson), "any CSV"),
        (String::new(), Err(Reason::NotJson), "nothing at all"),
        (
            r#"{"data":{"dataSets":[{"observations":{}}]}}"#.to_owned(),
            Err(Reason::Schema),
            "no structure",
        ),
        ("[1]".to_owned(), Err(Reason::Schema), "any JSON"),
        (r#"{"meta":{},"data":{"#.to_owned(), Err(Reason::Truncated), "cut off"),
        (
            json(SERIES, r#"{"action":"Explode","series":{}}"#),
            Err(Reason::Schema),
            "an unknown action",
        ),
        (
            json(SERIES, r#"{"series":{"7":{"observations":{"0":[1]}}}}"#),
            Err(Reason::Schema),
            "a position past the list",
        ),
        (
            json(SERIES, r#"{"series":{"0:0":{"observations":{"0":[1]}}}}"#),
            Err(Reason::Schema),
            "a position too many",
        ),
        (
            json(SERIES, r#"{"series":{"":{"observations":{"0":[1]}}}}"#),
            Err(Reason::Schema),
            "no position",
        ),
        (
            format!(r#"{{"meta":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000)),
            Err(Reason::Decode),
            "too deep",
        ),
    ] {
        let read = read_all(&message);
        let read = read.map(|found| found.len()).map_err(|error| error.reason());
        assert_eq!(read, expected, "{why}");
    }
}

#[test]
fn a_footer_may_say_that_the_data_are_not_all() {
    let data = "<DataSet><Obs><ObsKey><Value id='A' value='x'/><Value id='T' value='1'/></ObsKey><ObsValue value='4'/></Obs></DataSet>";
    let texts = |text: &str| format!("<c:Text xml:lang='en'>{text}</c:Text>");
    for (says, text, expected, why) in [
        ("code='413' severity='Infomation'", "to a file", Some("(413): to a file"), "elsewhere"),
        ("code='510' severity='Warning'", "too large", Some("(510): too large"), "over the limit"),
        ("code='130'", "cut", Some("(130): cut"), "no severity"),
        ("severity='Error'", "no", Some("(): no"), "no code"),
        ("code='2001' severity='error'", "no", Some("(2001): no"), "a service's own error"),
        ("code='100' severity='Error'", "none", None, "no results"),
        ("code='1000' severity='Warning'", "old", None, "a service's own warning"),
        ("code='0' severity='Information'", "hello", None, "no error of the standard"),
        ("severity='Warning'", "hello", None, "a warning without a code"),
    ] {
        let notice = format!("<f:Message {says}>{}{}</f:Message>", texts(text), texts("autrement"));
        for (data, count) in [("", 0), (data, 1)] {
            let read = read_all(&format!(
                "<m:GenericData xmlns:m='u' xmlns:f='v' xmlns:c='w'><m:Header><c:Name>n</c:Name></m:Header>{data}\
                 <f:Footer><f:Message code='1'>{}</f:Message>{notice}</f:Footer></m:GenericData>",
                texts("ok")
            ));
            match (read, expected) {
                (Ok(found), None) => assert_eq!(found.len(), count, "{why}"),
                (Err(error), Some(words)) => {
                    assert_eq!(error.reason(), Reason::RemoteFault, "{why}");
                    assert!(error.to_string().contains(&format!("{words};")), "{why}: {error}");
                }
                (read, _) => panic!("{why}: {read:?}"),
            }
        }
    }
}

#[test]
fn a_record_has_one_key_and_one_value() {
    let observations = |inside: &str| {
        let series = format!(r#"{{"series":{{"0":{{"observations":{{{inside}}}}}}}}}"#);
        json(SERIES, &series)
    };
    let series = |key: &str| {
        let one = |key: &str, at: u8| format!(r#""{key}":{{"observations":{{"{at}":[1]}}}}"#);
        json(SERIES, &format!(r#"{{"series":{{{},{}}}}}"#, one("0", 0), one(key, 1)))
    };
    let listed = |of: &str| SERIES.replace(r#"{"id":"x"},{"id":"y"}"#, of);
    let set = r#"{"series":{"0":{"observations":{"0":[1]}}}}"#;
    let groups = |key: &str| {
        json(SERIES, &format!(r#"{{"dimensionGroupAttributes":{{"{key}":["g"]}},"series":{{}}}}"#))
    };
    for (message, expected) in [
        (observations(r#""0":[1],"1":[2]"#), Ok(2)),
        (observations(r#""0":[1],"1":[2],"0":[1]"#), Err("the key \"0\" stands twice")),
        (observations(r#""+1":[1]"#), Err("a key is no list of positions")),
        (observations(r#""01":[1]"#), Err("a key is no list of positions")),
        (observations(r#""-1":[1]"#), Err("a key is no list of positions")),
        (observations(r#""00":[1]"#), Err("a key is no list of positions")),
        (observations(r#"" 1":[1]"#), Err("a key is no list of positions")),
        (observations(r#""\u0661":[1]"#), Err("a key is no list of positions")),
        (series("1"), Ok(2)),
        (series("0"), Err("the key \"0\" stands twice")),
        (groups("0:1"), Ok(0)),
        (groups("0:01"), Err("a key is no list of positions")),
        (
            json(&listed(r#"{"id":"x"},{"id":"x"}"#), set),
            Err("dimension \"A\" has the value \"x\" twice"),
        ),
        (json(&listed(r#"{"id":"x"},{"value":"x"}"#), set), Err("twice in its list")),
        (json(&listed(r#"{"id":"x"},null,null"#), set), Ok(1)),
    ] {
        match (read_all(&message), expected) {
            (Ok(found), Ok(count)) => assert_eq!(found.len(), count, "{message}"),
            (Err(error), Err(words)) => {
                assert_eq!(error.reason(), Reason::Schema, "{message}: {error}");
                assert!(error.to_string().contains(words), "{message}: {error}");
            }
            (found, _) => panic!("{message}: {found:?}"),
        }
    }
    let none = read_all(&format!(r#"{{"data":{{"structures":[{SERIES}]}}}}"#)).unwrap_err();
    assert!(none.to_string().contains("without `dataSets`"), "{none}");
    let ml = |values: &str| {
        format!(
            "<GenericData><DataSet><Obs><ObsKey><Value id='A' value='x'/><Value id='T' value='1'/></ObsKey>{values}</Obs>\
             <Obs><ObsKey><Value id='A' value='y'/><Value id='T' value='1'/></ObsKey><ObsValue value='9'/></Obs></DataSet></GenericData>"
        )
    };
    let other = r#"{"A":"y","T":"1","OBS_VALUE":"9"}"#;
    for (values, expected) in [
        ("<ObsValue value='4'/>", r#"{"A":"x","T":"1","OBS_VALUE":"4"}"#),
        ("<ObsValue value='4'/><ObsValue value='5'/>", "!it has more than one ObsValue"),
        ("<ObsValue value='NaN'/><ObsValue value='5'/>", "!it has more than one ObsValue"),
        ("<ObsValue value='4'/><ObsValue value='4'/>", "!it has more than one ObsValue"),
    ] {
        let found = read_all(&ml(values)).unwrap();
        assert!(found.len() == 2 && found[0].starts_with(expected), "{values}: {found:?}");
        assert_eq!(found[1], other, "its neighbour is kept");
    }
}

/// Writes a message with those dimensions.
type Write<'w> = &'w dyn Fn(&[&str]) -> String;

#[test]
fn a_dimension_that_came_or_went_is_named() {
    let flat = |ids: &[&str]| {
        let components: Vec<_> = ids
            .iter()
            .map(|id| format!("{{\"id\":\"{id}\",\"values\":[{{\"id\":\"v\"}}]}}"))
            .collect();
        let levels = format!("{{\"dimensions\":{{\"observation\":[{}]}}}}", components.join(","));
        json(&levels, "{\"observations\":{}}")
    };
    let generic = |ids: &[&str]| {
        let values: Vec<_> = ids.iter().map(|id| format!("<Value id='{id}' value='v'/>")).collect();
        format!(
            "<GenericData><DataSet><Obs><ObsKey>{}</ObsKey></Obs></DataSet></GenericData>",
            values.concat()
        )
    };
    let csv = |ids: &[&str]| {
        let row = vec!["v"; ids.len()].join(",");
        format!("DATAFLOW,{},OBS_VALUE\nx,{row},1", ids.join(","))
    };
    let notations: [(&str, Write<'_>); 3] = [("JSON", &flat), ("ML", &generic), ("CSV", &csv)];
    for (notation, write) in notations {
        read_all(&write(&["A", "T"])).unwrap();
        read_all(&write(&["T", "AREA"]))
            .unwrap_or_else(|e| panic!("any of its names, {notation}: {e}"));
        let came = read_all(&write(&["A", "SEX", "T"])).unwrap_err();
        assert!(came.to_string().starts_with("dimension \"SEX\" has come"), "{notation}: {came}");
        let gone = read_all(&write(&["A"])).unwrap_err();
        assert!(gone.to_string().starts_with("dimension \"T\" is gone"), "{notation}: {gone}");
        assert_eq!((came.reason(), gone.reason()), (Reason::Schema, Reason::Schema));
    }
    // A structure-specific message does not say what its dimensions are: there two records of one key tell it.
    let specific = |inside: &str| {
        format!("<StructureSpecificData><DataSet>{inside}</DataSet></StructureSpecificData>")
    };
    let mislabelled = "<Obs><ObsKey><Value id='A' value='x'/><Value id='T' value='1'/></ObsKey>\
        <ObsValue value='5'/></Obs><Obs><ObsKey><Value id='A' value='x'/><Value id='T' value='2'/></ObsKey></Obs>";
    assert_eq!(
        read_all(&specific(mislabelled)).unwrap(),
        [r#"{"A":"x","T":"1","OBS_VALUE":"5"}"#, r#"{"A":"x","T":"2"}"#],
        "a generic message, whatever its root says"
    );
    let one = "<Series A='x' UNIT='n'><Obs T='1' OBS_VALUE='1'/><Obs T='2' OBS_VALUE='NaN' S='m'/></Series>";
    assert_eq!(
        read_all(&specific(one)).unwrap(),
        [
            r#"{"A":"x","T":"1","UNIT":"n","OBS_VALUE":"1"}"#,
            r#"{"A":"x","T":"2","UNIT":"n","S":"m"}"#
        ]
    );
    let two = format!("{one}<Series A='x' UNIT='p'><Obs T='1' OBS_VALUE='2'/></Series>");
    let error = read_all(&specific(&two)).unwrap_err().to_string();
    assert!(error.contains("one key twice") && error.contains("UNIT"), "{error}");
    let gone = read_all(&specific("<Obs A='x' OBS_VALUE='1'/>")).unwrap_err();
    assert!(gone.to_string().starts_with("dimension \"T\" is gone"), "{gone}");
}

#[test]
fn what_would_delete_in_bulk_waits_for_a_person() {
    let set = |inside: &str| json(SERIES, &format!("{{\"action\":\"Delete\",{inside}}}"));
    let less = json(
        r#"{"dimensions":{"observation":[{"id":"A","values":[{"id":"x"}]}]}}"#,
        r#"{"action":"Delete","observations":{"0":[]}}"#,
    );
    let generic = |inside: &str| {
        format!("<GenericData><DataSet action='Delete'>{inside}</DataSet></GenericData>")
    };
    let of_header = "<GenericData><Header><DataSetAction>Delete</DataSetAction></Header><DataSet>
        <Obs><ObsKey><Value id='A' value='x'/></ObsKey></Obs></DataSet></GenericData>";
    for (message, why) in [
        (set(r#""series":{"":{"observations":{"0":[]}}}"#), "a series without a position"),
        (set(r#""series":{"0":{"observations":{"~":[]}}}"#), "any time"),
        (set(r#""series":{"0":{}}"#), "a whole series"),
        (set(r#""links":[]"#), "a whole data set"),
        (less, "a structure of fewer dimensions"),
        ("STRUCTURE,STRUCTURE_ID,ACTION,A,T,OBS_VALUE\nd,s,D,x,,".to_owned(), "an empty cell"),
        ("STRUCTURE,STRUCTURE_ID,ACTION,A,T,OBS_VALUE\nd,s,D,x,~,".to_owned(), "left out, in CSV"),
        (
            generic("<Series><SeriesKey><Value id='A' value='x'/></SeriesKey></Series>"),
            "a series of ML",
        ),
        (generic("<Obs><ObsKey><Value id='T' value='1'/></ObsKey></Obs>"), "an observation of ML"),
        (generic(""), "a data set of ML"),
        (of_header.to_owned(), "as the header says"),
    ] {
        let error = read_all(&message).expect_err(why);
        assert!(matches!(error, DecodeError::Bulk(_)), "{why}: {error}");
        assert!(error.to_string().contains("waits for a person"), "{error}");
        assert_eq!(error.reason(), Reason::Schema);
    }
    assert_eq!(
        read_all(&set(
            r#""series":{"0":{"observations":{"0":[]}},"1":{"observations":{"1":[null,null,"o"]}}}"#
        ))
        .unwrap(),
        [
            r#"-{"A":"x","T":"2025"}"#,
            "!only attributes of the observation are to be deleted, which is not done here; resync the feed to take it as it is now"
        ]
    );
    assert_eq!(read_all(&set(r#""series":{}"#)).unwrap(), [""; 0], "nothing is to be deleted");
}

#[test]
fn a_part_of_a_record_wipes_nothing() {
    let csv = |action: &str, header: &str, row: &str| {
        format!("STRUCTURE,STRUCTURE_ID,ACTION,A,T,{header}\nd,s,{action},x,1,{row}")
    };
    let json_of = |action: &str, values: &str| {
        let observations = format!(r#"{{"1":{values}}}"#);
        let series = format!(r#""series":{{"0":{{"observations":{observations}}}}}"#);
        json(SERIES, &format!(r#"{{"action":"{action}",{series}}}"#))
    };
    let ml = |action: &str, obs: &str| {
        format!(
            "<StructureSpecificData><DataSet action='{action}'><Obs A='x' T='1' {obs}/></DataSet></StructureSpecificData>"
        )
    };
    let both: &[&str] = &["OBS_VALUE", "S"];
    for (others, message, whole, why) in [
        (both, csv("M", "OBS_VALUE,S", "5,n"), true, "a whole one"),
        (both, csv("M", "OBS_VALUE,S", ",n"), false, "no measure"),
        (both, csv("A", "OBS_VALUE,S", "5,"), false, "no attribute"),
        (both, csv("M", "S", "n"), false, "no column of measures"),
        (both, csv("R", "OBS_VALUE,S", ",n"), true, "whole, by its own word"),
        (both, csv("R", "S", "n"), true, "whole, by its own word, without the column"),
        (both, csv("I", "OBS_VALUE,S", ",n"), true, "an answer with all columns"),
        (both, csv("", "OBS_VALUE,S", ",n"), true, "no word, and all columns"),
        (both, csv("", "S", "n"), false, "no word, and not all columns"),
        (both, "DATAFLOW,A,T,OBS_VALUE\nd,x,1,5".to_owned(), true, "1.0 knows no parts"),
        (&["M", "O"], json_of("Merge", r#"[1,null,"own"]"#), true, "a whole one, in JSON"),
        (&["M", "O"], json_of("Merge", r#"[null,null,"own"]"#), false, "no measure, in JSON"),
        (&["M", "O"], json_of("Append", "[1]"), false, "no attribute, in JSON"),
        (&["M", "O"], json_of("Replace", "[1]"), true, "replaced, in JSON"),
        (&["M", "O"], json_of("Information", "[1]"), true, "an answer, in JSON"),
        (both, ml("Append", "S='n' OBS_VALUE='5'"), true, "a whole one, in ML"),
        (both, ml("Append", "S='n'"), false, "no measure, in ML"),
        (both, ml("Replace", "S='n'"), true, "replaced, in ML"),
        (&[], csv("M", "S", "n"), true, "columns that are not known yet"),
    ] {
        let found = read_with(others, &message).unwrap_or_else(|e| panic!("{why}: {e}"));
        let parts: Vec<_> = found.iter().map(|row| row.starts_with('+')).collect();
        assert_eq!(parts, [!whole], "{why}: {found:?}");
    }
    for (message, gap) in [
        (csv("M", "OBS_VALUE", "NaN"), "OBS_VALUE"),
        (csv("M", "S", "#N/A"), "S"),
        (ml("Append", "OBS_VALUE='NaN'"), "OBS_VALUE"),
    ] {
        let found = read_with(both, &message).unwrap();
        let words = format!("says that \"{gap}\" is missing there");
        assert!(
            found.len() == 1 && found[0].starts_with('!') && found[0].contains(&words),
            "{found:?}"
        );
    }
    let all = csv("M", "OBS_VALUE,S", "NaN,n");
    assert_eq!(read_with(both, &all).unwrap(), [r#"{"A":"x","T":"1","S":"n"}"#], "of all columns");
    let delete = csv("D", "OBS_VALUE,S", ",");
    assert_eq!(read_with(both, &delete).unwrap(), [r#"-{"A":"x","T":"1"}"#]);
}

#[test]
fn no_results_are_told_from_other_errors() {
    let ml = |code: &str| {
        format!(
            "<m:Error xmlns:m='urn:m'><m:ErrorMessage code='{code}'><m:Text>x</m:Text></m:ErrorMessage></m:Error>"
        )
    };
    for (body, expected) in [
        (r#"{"errors":[{"code":100,"title":"NoResultsFound"}]}"#.to_owned(), true),
        (r#"{"meta":{},"errors":[{"code":"100"}]}"#.to_owned(), true),
        (r#"{"errors":[{"code":100},{"code":140}]}"#.to_owned(), false),
        (r#"{"errors":[]}"#.to_owned(), false),
        (r#"{"message":"Not Found"}"#.to_owned(), false),
        (r#"{"errors":[{"code":404}]}"#.to_owned(), false),
        (r#"{"errors":[{"code":10"#.to_owned(), false),
        (ml("100"), true),
        (ml("140"), false),
        ("<html><body>No results found</body></html>".to_owned(), false),
        ("<m:Error xmlns:m='urn:m'/>".to_owned(), false),
        ("No results found.".to_owned(), true),
        ("NoRecordsFound".to_owned(), true),
        ("404 page not found".to_owned(), false),
        (String::new(), false),
    ] {
        assert_eq!(is_no_results(body.as_bytes()), expected, "{body}");
    }
}

#[test]
fn groups_of_ml_are_said_of_all_their_observations() {
    let message = "<GenericData><Header><Structure structureID='S' dimensionAtObservation='T'/></Header>
        <DataSet structureRef='S'><Attributes><Value id='D' value='d'/></Attributes>
        <Group><GroupKey><Value id='A' value='x'/></GroupKey><Attributes><Value id='G' value='g'/></Attributes></Group>
        <Series><SeriesKey><Value id='A' value='x'/></SeriesKey><Attributes><Value id='S' value='s'/></Attributes>
        <Obs><ObsDimension value='1'/><ObsValue value='2'/><Attributes><Value id='G' value='own'/></Attributes></Obs>
        <Obs><ObsDimension id='T' value='2'/></Obs></Series></DataSet></GenericData>";
    assert_eq!(
        read_all(message).unwrap(),
        [
            r#"{"A":"x","T":"1","S":"s","OBS_VALUE":"2","G":"own","D":"d"}"#,
            r#"{"A":"x","T":"2","S":"s","D":"d","G":"g"}"#,
        ]
    );
}

#[test]
fn a_message_says_what_structure_it_is_of() {
    let of = |message: &str| {
        let key = Key { dimensions: vec![vec!["A".to_owned()]], others: Vec::new() };
        let mut found = Vec::new();
        let read = page(message.as_bytes(), b',', &key, &mut |observed| {
            if let Observed::Structure(name) = observed {
                found.push(name.to_owned());
            }
            Flow::More
        });
        read.map(|()| found)
    };
    let urn = |kind: &str, name: &str| {
        format!("{{\"urn\":\"urn:sdmx:org.sdmx.infomodel.datastructure.{kind}={name}\"}}")
    };
    let flow = urn("Dataflow", "X:F(2.0)");
    let both = format!("{flow},{}", urn("DataStructure", "X:D(1.1)"));
    let message = |links: &str, set_links: &str| {
        format!(
            "{{\"data\":{{\"structures\":[{{\"links\":[{links}],\"dimensions\":{{\"observation\":[{{\"id\":\"A\",\
             \"values\":[{{\"id\":\"x\"}}]}}]}}}}],\"dataSets\":[{{\"links\":[{set_links}],\"observations\":{{\"0\":[1]}}}}]}}}}"
        )
    };
    let ml = |named: &str| {
        format!(
            "<GenericData><Header><Structure structureID='S' dimensionAtObservation='AllDimensions'><Structure>{named}\
             </Structure></Structure></Header><DataSet structureRef='S'><Obs><ObsKey><Value id='A' value='x'/></ObsKey>\
             <ObsValue value='1'/></Obs></DataSet></GenericData>"
        )
    };
    let csv = "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,A: a,OBS_VALUE\n\
               dataflow,X:F(1.0): flow,flow,x: x,1\ndataflow,X:F(1.0): flow,flow,y: y,1\ndataflow,X:F(1.1): flow,flow,z: z,1\n";
    let (reference, named) = (
        "<Ref agencyID='X' id='D' version='1.0'/>",
        "<URN>urn:sdmx:org.sdmx.infomodel.datastructure.DataStructure=X:D(3.0)</URN>",
    );
    for (message, expected) in [
        ("DATAFLOW,A,OBS_VALUE\nX:F(1.0),x,1\n".to_owned(), &["X:F(1.0)"][..]),
        (csv.to_owned(), &["X:F(1.0)", "X:F(1.1)"]),
        (message(&both, ""), &["X:D(1.1)"]),
        (message(&flow, &urn("DataStructure", "X:D(1.2)")), &["X:D(1.2)"]),
        (message(&flow, ""), &["X:F(2.0)"]),
        (message("", ""), &[]),
        (ml(reference), &["X:D(1.0)"]),
        (ml(named), &["X:D(3.0)"]),
        (ml(""), &[]),
    ] {
        assert_eq!(of(&message).unwrap(), expected, "{message}");
    }
}
