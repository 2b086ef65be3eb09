//! Lists and single rows.

use marsad_shared::protocol::ListQuery;

use super::{detail, fail::Done, out::Out, shown::Shown, table::Table};
use crate::client::Client;

/// Writes a list as it comes, page by page.
pub(super) async fn list<T: Shown>(
    client: &Client,
    of: T::Of,
    query: ListQuery,
    out: &mut Out,
) -> Done {
    let wanted = query.limit.filter(|limit| *limit > 0);
    let mut pages = client.pages::<T>(of, query);
    let (mut table, mut rows, mut last) = (Table::new(T::COLUMNS), 0_usize, None);
    let mut page = pages.next().await?; // before anything is written: an error leaves stdout empty
    if out.json {
        out.begin()?;
    }
    while let Some(some) = page {
        if out.json {
            out.items(&some, rows == 0)?;
        } else {
            let cells: Vec<_> = some.iter().map(|row| row.cells(&out.look)).collect();
            let text = table.page(&cells, &out.look);
            out.text(&text)?;
        }
        rows += some.len();
        last = some.last().and_then(T::after);
        page = pages.next().await?;
    }
    if out.json {
        out.end(rows == 0)?;
    } else if rows == 0 {
        out.text(&format!("no {}\n", T::NOUN))?;
    } else if let (Some(_), Some(last), true) =
        (out.look.width, last, wanted == u32::try_from(rows).ok())
    {
        let last = marsad_shared::untrusted::show(&last).into_owned();
        out.text(&format!("{rows} rows; go on with --after {last}, or all with --limit 0\n"))?;
    }
    Ok(())
}

/// Writes one row, whole.
pub(super) async fn show<T: Shown>(client: &Client, of: &T::Of, id: &str, out: &mut Out) -> Done {
    let row: T = client.one(of, id).await?;
    whole(&row, out)
}

/// One row, with all that is known of it.
pub(super) fn whole<T: Shown>(row: &T, out: &mut Out) -> Done {
    if out.json {
        out.value(row)?;
    } else {
        let text = detail::text(row, &out.look).map_err(std::io::Error::from)?;
        out.text(&text)?;
    }
    Ok(())
}
