//! Encodings: by the mark, else as configured and only if the header's names are there, else held with a proposal.

use encoding_rs::{ISO_8859_6, WINDOWS_1256};
use marsad_shared::{health::Reason, run::Outcome};

use super::{Folder, sample};

/// The columns of requests for housing, as their partner names them.
const REQUESTS: &str = "key = [\"no\"]\nfields = { no = { type = \"text\", from = \"رقم الطلب\" }, family = { type = \"text\", from = \"اسم الأسرة\" }, area = { type = \"text\", from = \"المنطقة\" }, day = { type = \"date\", from = \"تاريخ الطلب\", format = \"%d/%m/%Y\" }, sum = { type = \"text\", from = \"المبلغ\" }, state = { type = \"text\", from = \"الحالة\" } }";
/// The columns of counts by area.
const COUNTS: &str = "key = [\"code\"]\nfields = { code = { type = \"text\", from = \"الرمز\" }, area = { type = \"text\", from = \"المنطقة\" }, count = { type = \"integer\", from = [\"عدد الحالات\", \"عدد المستفيدين\"] } }";

#[tokio::test]
async fn a_table_is_read_in_its_encoding() -> anyhow::Result<()> {
    let windows =
        format!("files = \"w*.csv\"\nencoding = \"windows-1256\"\ndelimiter = \";\"\n{REQUESTS}");
    let iso = format!("files = \"i*.csv\"\nencoding = \"iso-8859-6\"\n{COUNTS}");
    let utf16 = format!("files = \"*.txt\"\ndelimiter = \"\\t\"\n{COUNTS}");
    let marked = "files = \"m*.csv\"\nkey = [\"no\"]\nfields = { no = { type = \"text\", from = \"رقم المعاملة\" }, note = { type = \"text\", from = \"ملاحظات\" }, area = { type = \"text\", from = \"المنطقة\" } }";
    let folder = Folder::with(&[
        ("windows", &windows),
        ("iso", &iso),
        ("utf16", &utf16),
        ("marked", marked),
    ])
    .await?;
    for (feed, name, file, columns, rows) in [
        (
            "windows",
            "w1.csv",
            "csv-windows-1256-semicolon.csv",
            &["no", "family", "area", "day", "sum", "state"][..],
            &[
                "HS-0001|أسرة 00131|كلباء|2026-11-01|250000,00|قيد المراجعة",
                "HS-0002|أسرة 00132|خورفكان|2026-11-02|48500,50|معتمد",
                "HS-0003|أسرة 00133|دبا الحصن|2026-11-03|400000,00|مرفوض",
                "HS-0004|أسرة 00134|الحمرية|2026-11-04|250000,00|معتمد",
            ][..],
        ),
        (
            "iso",
            "i1.csv",
            "csv-iso-8859-6.csv",
            &["code", "area", "count"],
            &["DHD|الذيد|15", "KHF|خورفكان|9", "KLB|كلباء|12"],
        ),
        (
            "utf16",
            "u1.txt",
            "txt-utf16le-excel-unicode.txt",
            &["code", "area", "count"],
            &["KHF|خورفكان|51", "KLB|كلباء|43"],
        ),
        (
            "marked",
            "m1.csv",
            "csv-utf8-bom-arabic-headers.csv",
            &["no", "area", "note"],
            &[
                "DV-2026-0001|الـــذيد|قال الموظف: \"بانتظار الحكم\"",
                "DV-2026-0002|مدينة الشارقة|سطر أول\nسطر ثانٍ",
                "MR-2026-0001|كلباء|·",
                "MR-2026-0002|خورفكان|نسخة معدلة، تُراجع",
            ],
        ),
    ] {
        let run = folder.drop(feed, name, &sample(file)?).await?;
        assert_eq!(run.outcome, Outcome::Succeeded, "{run:#?}");
        assert_eq!(folder.rows(feed, columns)?, rows, "{file}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_in_doubt_is_held_with_what_it_seems_to_be() -> anyhow::Result<()> {
    let utf8 = |files: &str| format!("files = \"{files}\"\n{REQUESTS}");
    let semicolons = format!("files = \"s*.csv\"\ndelimiter = \";\"\n{REQUESTS}");
    let windows =
        format!("files = \"w*.csv\"\nencoding = \"windows-1256\"\ndelimiter = \";\"\n{REQUESTS}");
    let counts = format!("files = \"c*.csv\"\nencoding = \"windows-1256\"\n{COUNTS}");
    let latin = "files = \"l*.csv\"\nencoding = \"windows-1256\"\nkey = [\"id\"]\nfields = { id = \"text\", area = \"text\" }";
    let unknown = "files = \"x*.csv\"\nkey = [\"الرمز\"]";
    let folder = Folder::with(&[
        ("utf8", &utf8("u*.csv")),
        ("semicolons", &semicolons),
        ("windows", &windows),
        ("counts", &counts),
        ("latin", latin),
        ("unknown", unknown),
    ])
    .await?;
    let requests = sample("csv-windows-1256-semicolon.csv")?;
    let in_utf8 = WINDOWS_1256.decode(&requests).0.into_owned().into_bytes();
    let areas = ISO_8859_6.decode(&sample("csv-iso-8859-6.csv")?).0.into_owned();
    let late = [in_utf8.repeat(1), b"HS-9;x;\xe3\xd1;x;x;05/11/2026;1;x\n".to_vec()].concat();
    for (feed, name, content, reason, words) in [
        (
            "utf8",
            "u1.csv",
            sample("faulty/csv-utf8-one-bad-byte.csv")?,
            Reason::Encoding,
            &["line 5 is not UTF-8", "written anew in UTF-8"][..],
        ),
        (
            "semicolons",
            "s1.csv",
            sample("faulty/csv-mixed-encodings.csv")?,
            Reason::Encoding,
            &["line 4 is not UTF-8", "written anew"],
        ),
        // Configured as UTF-8, and in another encoding throughout.
        (
            "semicolons",
            "s2.csv",
            requests.clone(),
            Reason::Encoding,
            &[
                "reads as windows-1256: 6 of 6 columns",
                "a header reads \"رقم الطلب\"",
                "set encoding = \"windows-1256\" and put the file into the folder again",
            ],
        ),
        ("semicolons", "s3.csv", late, Reason::Encoding, &["line 6 is not UTF-8"]),
        // Configured as one in which every byte is a letter.
        (
            "windows",
            "w1.csv",
            in_utf8,
            Reason::Encoding,
            &["the header lacks", "reads as UTF-8: 6 of 6 columns", "set encoding = \"utf-8\""],
        ),
        (
            "counts",
            "c1.csv",
            sample("csv-iso-8859-6.csv")?,
            Reason::Encoding,
            &["reads as ISO-8859-6: 3 of 3 columns", "set encoding = \"iso-8859-6\""],
        ),
        // A header of ASCII tells nothing; the letters of the rows do.
        (
            "latin",
            "l1.csv",
            "id,area\n1,كلباء\n".into(),
            Reason::Encoding,
            &["all of it is UTF-8", "reads as UTF-8: 2 of 2 columns"],
        ),
        // The encoding is right, and the columns are others.
        (
            "windows",
            "w2.csv",
            sample("faulty/csv-schema-changed.csv")?,
            Reason::Schema,
            &["the header lacks \"تاريخ الطلب\""],
        ),
        // The first file of a feed whose columns are still to be taken from it: its key is known.
        (
            "unknown",
            "x1.csv",
            WINDOWS_1256.encode(&areas).0.into_owned(),
            Reason::Encoding,
            &["reads as windows-1256: 1 of 1 columns"],
        ),
    ] {
        let run = folder.drop(feed, name, &content).await?;
        assert_eq!((run.outcome, run.cause), (Outcome::Held, Some(reason)), "{name}: {run:#?}");
        let said = run.reason.unwrap_or_default();
        for words in words {
            assert!(said.contains(words), "{name}: {words:?} in {said:?}");
        }
        assert_eq!(folder.held(name).await?, content, "{name}");
    }
    let latin =
        folder.drop("latin", "l2.csv", &WINDOWS_1256.encode("id,area\n1,كلباء\n").0).await?;
    assert_eq!(latin.outcome, Outcome::Succeeded, "{latin:#?}");
    assert_eq!(folder.rows("latin", &["id", "area"])?, ["1|كلباء"]);
    Ok(())
}
