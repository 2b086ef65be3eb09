//! Messages in CSV: a header that names the components, and rows.

use super::*;

#[test]
fn rows_of_csv_are_taken_or_refused_one_by_one() {
    let message = "STRUCTURE[;],STRUCTURE_ID,ACTION,A,T,OBS_VALUE,NOTE\n\
        d,s,I,x,1,5,#N/A\nd,s,,x,2,NaN,n\nd,s,Z,x,3,5,\nd,s,R,,4,5,\nd,s,M,x,~,5,\nd,s,R,x\nd,s,D,x,5,,\n";
    assert_eq!(
        read_all(message).unwrap(),
        [
            r#"{"A":"x","T":"1","OBS_VALUE":"5"}"#,
            r#"{"A":"x","T":"2","NOTE":"n"}"#,
            "!a data set has the action \"Z\", which is not known; ask the partner what it means",
            "!dimension \"A\" is empty",
            "!dimension \"T\" is empty",
            "!the row has 4 cells and the header 7; look for a missing or an unquoted delimiter",
            r#"-{"A":"x","T":"5"}"#,
        ]
    );
}

#[test]
fn columns_of_csv_that_are_no_components_are_no_dimensions() {
    let labels = "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,ACTION,A,Age group,T,Time period,OBS_VALUE,Observation value,S,Status\n\
        DATAFLOW,O:F(1.0),Name,I,x,Of x: all,1,,5,,A,Normal value\n";
    let keys = |action: &str, cells: &str| {
        format!(
            "STRUCTURE,STRUCTURE_ID,ACTION,SERIES_KEY,OBS_KEY,A,T,OBS_VALUE,S,UPDATED\nd,s,{action},x,x.1,x,1,{cells},u\n"
        )
    };
    let (both, plain): (&[&str], &[&str]) = (&["OBS_VALUE", "S"], &[]);
    let whole = r#"{"A":"x","T":"1","OBS_VALUE":"5","S":"A"}"#;
    for (others, message, expected) in [
        (both, labels.to_owned(), whole),
        (
            &["S", "Status"][..],
            labels.to_owned(),
            &*whole.replace('}', r#","Status":"Normal value"}"#),
        ),
        (
            plain,
            "DATAFLOW,LAST UPDATE,A,T,OBS_VALUE,S\nE:F(1.0),12/06/26 23:00:00,x,1,5,A\n".to_owned(),
            r#"{"A":"x","T":"1","LAST UPDATE":"12/06/26 23:00:00","OBS_VALUE":"5","S":"A"}"#,
        ),
        (both, "KEY,A,T,OBS_VALUE,S\nF.x,x,1,5,A\n".to_owned(), whole),
        (
            &["KEY"],
            "KEY,A,T,OBS_VALUE\nF.x,x,1,5\n".to_owned(),
            r#"{"A":"x","T":"1","KEY":"F.x","OBS_VALUE":"5"}"#,
        ),
        (both, keys("M", "5,A"), &whole.replace('}', r#","UPDATED":"u"}"#)),
        (
            &["S", "SERIES_KEY"],
            keys("M", "5,A"),
            r#"{"A":"x","T":"1","SERIES_KEY":"x","OBS_VALUE":"5","S":"A","UPDATED":"u"}"#,
        ),
        (&["SERIES_KEY"], keys("D", ","), r#"-{"A":"x","T":"1","SERIES_KEY":"x","UPDATED":"u"}"#),
    ] {
        assert_eq!(read_with(others, &message).unwrap(), [expected], "{message}");
    }
    let key = Key {
        dimensions: ["A", "LAST UPDATE"].map(|id| vec![id.to_owned()]).to_vec(),
        others: Vec::new(),
    };
    let read = page(b"DATAFLOW,LAST UPDATE,A,OBS_VALUE\nf,u,x,1", b',', &key, &mut |_| Flow::More);
    let error = read.unwrap_err();
    assert_eq!(error.reason(), Reason::Schema);
    assert!(error.to_string().contains("take it out of `key`"), "{error}");
}
