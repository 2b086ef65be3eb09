//! Attributes that are said once of all observations which share some dimensions.

use std::collections::HashMap;

use super::Part;

/// What is said of groups of observations.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups(Vec<Pattern>);

/// Groups that share the same dimensions.
#[derive(Clone, Debug)]
struct Pattern {
    dimensions: Vec<String>,
    /// By the values of those dimensions.
    groups: HashMap<Vec<String>, Vec<Part>>,
}

impl Groups {
    /// Adds what is said of all that have the values of `shared`.
    pub(super) fn add(&mut self, shared: Vec<Part>, attributes: Vec<Part>) {
        let (dimensions, values): (Vec<_>, Vec<_>) =
            shared.into_iter().map(|part| (part.id, part.value)).unzip();
        let known = self.0.iter().position(|pattern| pattern.dimensions == dimensions);
        let at = known.unwrap_or_else(|| {
            self.0.push(Pattern { dimensions, groups: HashMap::new() });
            self.0.len() - 1
        });
        if let Some(pattern) = self.0.get_mut(at) {
            pattern.groups.entry(values).or_default().extend(attributes);
        }
    }

    /// All that is said of an observation with those dimensions.
    pub(super) fn of(&self, dimensions: &[Part]) -> Vec<&Part> {
        let value = |id: &String| {
            let part = dimensions.iter().find(|part| part.id == *id)?;
            Some(part.value.clone())
        };
        let said = self.0.iter().filter_map(|pattern| {
            let values = pattern.dimensions.iter().map(value).collect::<Option<Vec<_>>>()?;
            pattern.groups.get(&values)
        });
        said.flatten().collect()
    }
}
