//! Feeds as people configure them, and pages read by them.

use std::{fs, io::BufReader};

use marsad_daemon::{
    columns::covered,
    decode::{DecodeError, Flow, Scalar},
    intake::{Intake, Origins, Piece, Source, infer},
    shape::Shaper,
};
use marsad_shared::{
    config::{Config, Environment},
    feed::{Feed, Format, ScalarPath},
    record::{Batch, Layout, Value},
};

/// A feed as a partner's file describes it.
pub(crate) fn feed(keys: &str) -> Feed {
    configured("base_url = \"https://p.invalid\"", &format!("path = \"/\"\n{keys}"))
}

/// A feed of a connection, both as a partner's file describes them.
pub(crate) fn configured(connection: &str, keys: &str) -> Feed {
    let folder = tempfile::tempdir().unwrap();
    let marsad = folder.path().join("marsad.toml");
    let partner = format!(
        "[partner]\nid = \"p\"\n[[connection]]\nid = \"api\"\n{connection}\n\
         [[feed]]\nid = \"f\"\nconnection = \"api\"\n{keys}\n"
    );
    fs::create_dir(folder.path().join("partners.d")).unwrap();
    fs::write(folder.path().join("partners.d/p.toml"), partner).unwrap();
    fs::write(&marsad, "").unwrap();
    let mut config = Config::load(&marsad, &Environment::empty()).unwrap_or_else(|e| panic!("{e}"));
    config.feeds.remove(0)
}

/// What makes rows of its records; its columns are those of `body` where it names none.
pub(crate) fn shaper(feed: &Feed, format: Format, body: &[u8]) -> Result<Shaper, DecodeError> {
    let layout = if feed.fields.is_empty() {
        infer(feed, format, body)?
    } else {
        Layout::new(feed.fields.clone(), &feed.key).unwrap()
    };
    let (layout, outside) = covered(feed, layout).map_err(DecodeError::Layout)?;
    Ok(Shaper::new(feed, layout, outside))
}

/// A page, read: what stands at `wanted`, and its rows.
pub(crate) fn page(
    feed: &Feed,
    body: &[u8],
    wanted: &[&str],
) -> (Vec<Scalar>, Result<Piece, DecodeError>) {
    let format = feed.format.unwrap_or(Format::Json);
    let shaper = match shaper(feed, format, body) {
        Ok(shaper) => shaper,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let wanted: Vec<_> = wanted.iter().map(|path| ScalarPath::parse(path).unwrap()).collect();
    let intake = Intake {
        feed,
        shaper: &shaper,
        format,
        seed: 7,
        origins: Origins::default(),
        references: None,
        recall: None,
    };
    let (scalars, read) = intake.page(Source::Held(body), &wanted, usize::MAX);
    // While it streams by it is the same.
    let mut few = BufReader::with_capacity(7, body);
    let (streamed, end) = intake.page(Source::Stream(&mut few), &wanted, usize::MAX);
    assert_eq!(streamed, scalars);
    match (&read, end) {
        (Ok(one), Ok(other)) => {
            assert_eq!(lines(&one.batch), lines(&other.batch));
            assert_eq!(one.refused, other.refused);
        }
        (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
        (one, other) => panic!("held {one:?}, streamed {other:?}"),
    }
    // Read as a file it is the same, but for what stands beside the records.
    let mut streamed = Vec::new();
    let end = intake.read(body, |piece: Piece| {
        streamed.push(lines(&piece.batch));
        Flow::More
    });
    match (&read, end) {
        (Ok(piece), Ok(())) => assert_eq!(streamed.concat(), lines(&piece.batch)),
        (Err(one), Err(other)) => assert_eq!(one.reason(), other.reason()),
        (one, other) => panic!("as a page {one:?}, as a file {other:?}"),
    }
    (scalars, read)
}

/// Each row of a batch as text, `-` before a deletion.
pub(crate) fn lines(batch: &Batch) -> Vec<String> {
    let value = |value: Value<'_>| match value {
        Value::Null => "·".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.to_owned(),
    };
    let line = |row: usize| {
        let cells: Vec<_> = batch.values(row).map(value).collect();
        format!("{}{}", if batch.is_gone(row) { "-" } else { "" }, cells.join("|"))
    };
    (0..batch.len()).map(line).collect()
}
