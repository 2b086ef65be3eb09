//! What a statistical message says of its columns: dimensions, which together are the key, the measure, and attributes.

use super::{node::Node, xml::Element};
use crate::decode::sdmx::{Header, Name};

/// The columns of a data set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) dimensions: Vec<String>,
    pub(super) measure: String,
    pub(super) attributes: Vec<String>,
    /// Dimensions and attributes cannot be told apart: the key is a guess.
    pub(super) guessed: bool,
}

/// The measure where nothing else is said.
const MEASURE: &str = "OBS_VALUE";
/// The dimension of time, as all services call it.
const TIME: &str = "TIME_PERIOD";

/// Of SDMX-JSON 1.0 or 2.x; `None` if it names no dimension.
pub(super) fn of_json(root: &Node) -> Option<Columns> {
    let structure = root
        .member("structure")
        .or_else(|| root.at(&["data", "structure"]))
        .or_else(|| root.at(&["data", "structures"]).and_then(|all| all.items().first()))?;
    let of = |kind: &str, levels: &[&str]| {
        let listed = levels.iter().filter_map(|level| structure.at(&[kind, level]));
        let ids = listed.flat_map(Node::items).filter_map(|item| item.member("id")?.text());
        let mut names: Vec<String> = Vec::new();
        for id in ids.filter(|id| is_id(id)) {
            if names.iter().all(|name| name != id) {
                names.push(id.to_owned());
            }
        }
        names
    };
    let measure = of("measures", &["observation"]).into_iter().next();
    let dimensions = of("dimensions", &["dataSet", "series", "observation"]);
    (!dimensions.is_empty()).then(|| Columns {
        dimensions,
        measure: measure.unwrap_or_else(|| MEASURE.to_owned()),
        attributes: of("attributes", &["dimensionGroup", "series", "observation"]),
        guessed: false,
    })
}

/// Of a header of SDMX-CSV 1.0 or 2.x, with or without labels; `None` if it is none.
pub(super) fn of_header(names: &[String]) -> Option<Columns> {
    let header = Header::of(names, |_| false)?;
    let has = |id: &str| header.names.contains(&Name::Component(id.to_owned()));
    // A table of anyone's own may begin with such a word.
    let known = match header.names.first()? {
        Name::Again(_) => has(TIME),
        _ => !header.second || header.names.get(1) == Some(&Name::Structure),
    };
    let mut columns = Columns { measure: MEASURE.to_owned(), ..Columns::default() };
    let mut before = true;
    for name in header.names {
        match name {
            Name::Component(id) if id == MEASURE => before = false,
            Name::Component(id) if before => columns.dimensions.push(id),
            Name::Component(id) | Name::Written(id) => columns.attributes.push(id),
            Name::Structure | Name::Beside | Name::Action | Name::Again(_) => {}
        }
    }
    (known && !before).then_some(columns)
}

/// Of SDMX-ML, generic or structure specific; `None` if it is none.
pub(super) fn of_xml(root: &Element) -> Option<Columns> {
    let generic = root.name.starts_with("Generic");
    if !(generic || root.name.starts_with("StructureSpecific")) || root.child("DataSet").is_none() {
        return None;
    }
    let mut columns =
        Columns { measure: MEASURE.to_owned(), guessed: !generic, ..Columns::default() };
    let mut put = |list: fn(&mut Columns) -> &mut Vec<String>, id: &str| {
        if is_id(id) && id != MEASURE && list(&mut columns).iter().all(|name| name != id) {
            list(&mut columns).push(id.to_owned());
        }
    };
    let find = |name: &str| {
        let mut found = Vec::new();
        root.all(name, &mut found);
        found
    };
    if generic {
        for key in find("SeriesKey").into_iter().chain(find("ObsKey")) {
            key.children
                .iter()
                .filter_map(|value| value.attribute("id"))
                .for_each(|id| put(|c| &mut c.dimensions, id));
        }
        let across =
            find("Structure").into_iter().find_map(|s| s.attribute("dimensionAtObservation"));
        for at in find("ObsDimension") {
            put(|c| &mut c.dimensions, at.attribute("id").or(across).unwrap_or(TIME));
        }
        for attributes in find("Attributes") {
            attributes
                .children
                .iter()
                .filter_map(|value| value.attribute("id"))
                .for_each(|id| put(|c| &mut c.attributes, id));
        }
    } else {
        for series in find("Series") {
            series.attributes.iter().for_each(|(id, _)| put(|c| &mut c.dimensions, id));
        }
        for obs in find("Obs") {
            for (id, _) in &obs.attributes {
                let attribute = id.starts_with("OBS_") || id.starts_with("CONF_");
                put(if attribute { |c| &mut c.attributes } else { |c| &mut c.dimensions }, id);
            }
        }
    }
    (!columns.dimensions.is_empty()).then_some(columns)
}

/// Whether it is an identifier of SDMX.
fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 100
        && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@' | '$'))
}

#[cfg(test)]
mod tests {
    use super::{super::xml, *};

    #[test]
    fn every_notation_names_the_same_columns() {
        let json = r#"{"data":{"structures":[{"dimensions":{"dataSet":[{"id":"FREQ"}],"series":[{"id":"AREA"}],"observation":[{"id":"TIME_PERIOD"}]},
            "measures":{"observation":[{"id":"OBS_VALUE"}]},"attributes":{"observation":[{"id":"OBS_STATUS"}]}}],"dataSets":[]}}"#;
        let csv =
            |header: &str| of_header(&header.split(',').map(str::to_owned).collect::<Vec<_>>());
        let generic = "<m:GenericData xmlns:m='u'><m:Header><m:Structure dimensionAtObservation='TIME_PERIOD'/></m:Header><m:DataSet><g:Series xmlns:g='v'>\
            <g:SeriesKey><g:Value id='FREQ' value='Q'/><g:Value id='AREA' value='A'/></g:SeriesKey>\
            <g:Obs><g:ObsDimension value='1'/><g:ObsValue value='2'/><g:Attributes><g:Value id='OBS_STATUS' value='A'/></g:Attributes></g:Obs>\
            </g:Series></m:DataSet></m:GenericData>";
        let specific = "<m:StructureSpecificData xmlns:m='u'><m:DataSet><Series FREQ='Q' AREA='A'>\
            <Obs TIME_PERIOD='1' OBS_VALUE='2' OBS_STATUS='A'/></Series></m:DataSet></m:StructureSpecificData>";
        let of_xml = |text| of_xml(&xml::read(text, false).unwrap());
        for (found, guessed) in [
            (of_json(&serde_json::from_str(json).unwrap()), false),
            (
                csv(
                    "STRUCTURE,STRUCTURE_ID,ACTION,FREQ: a,AREA: b,TIME_PERIOD: c,OBS_VALUE: d,OBS_STATUS: e",
                ),
                false,
            ),
            (
                csv(
                    "STRUCTURE[;],STRUCTURE_ID,SERIES_KEY,OBS_KEY,FREQ,AREA,TIME_PERIOD,OBS_VALUE,OBS_STATUS",
                ),
                false,
            ),
            (csv("KEY,FREQ,AREA,TIME_PERIOD,OBS_VALUE,OBS_STATUS"), false),
            (
                csv(
                    "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,ACTION,FREQ,Frequency,AREA,Reference area,TIME_PERIOD,Time period,OBS_VALUE,Observation value,OBS_STATUS,Status",
                ),
                false,
            ),
            (of_xml(generic), false),
            (of_xml(specific), true),
        ] {
            let found = found.unwrap();
            assert_eq!(found.dimensions, ["FREQ", "AREA", "TIME_PERIOD"]);
            assert_eq!((found.measure.as_str(), found.guessed), ("OBS_VALUE", guessed));
            assert_eq!(found.attributes, ["OBS_STATUS"]);
        }
        let eurostat = csv("DATAFLOW,LAST UPDATE,freq,geo,TIME_PERIOD,OBS_VALUE,OBS_FLAG").unwrap();
        assert_eq!(eurostat.dimensions, ["freq", "geo", "TIME_PERIOD"]);
        assert_eq!(eurostat.attributes, ["LAST UPDATE", "OBS_FLAG"]);
        assert_eq!(csv("id,OBS_VALUE"), None);
        assert_eq!(csv("KEY,name,OBS_VALUE"), None, "anyone's own table");
        assert_eq!(of_xml("<a><DataSet/></a>"), None);
    }
}
