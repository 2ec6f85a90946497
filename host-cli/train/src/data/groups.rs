//! Which samples belong together.

use std::collections::HashMap;

/// Groups of samples: recordings, persons, machines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// The group of each sample; empty if every sample is on its own.
    pub of: Vec<u32>,
    /// Their names, in the order of their appearance; empty if they have none.
    pub names: Vec<String>,
    /// Whether the groups are recordings that were told apart by nothing but the order of a file and a change of the class.
    pub are_runs: bool,
}

impl Groups {
    /// Adds a sample of the group of this name.
    pub(super) fn push(&mut self, seen: &mut HashMap<String, u32>, name: &str) {
        let group = seen.get(name).copied().unwrap_or_else(|| {
            self.names.push(name.to_owned());
            seen.insert(name.to_owned(), seen.len() as u32);
            seen.len() as u32 - 1
        });
        self.of.push(group);
    }

    /// Adds the groups of `more` samples behind those of `len` samples: groups of one name are one, others stay apart.
    pub(super) fn append(&mut self, len: usize, other: &Self, more: usize) {
        if self.of.is_empty() && other.of.is_empty() {
            return;
        }
        let mut next = self.of.iter().max().map_or(0, |last| last + 1);
        let mut single = |of: &mut Vec<u32>, count: usize| {
            of.extend(next..next + count as u32);
            next += count as u32;
        };
        if self.of.is_empty() {
            single(&mut self.of, len);
        }
        if other.of.is_empty() {
            return single(&mut self.of, more);
        }
        let mut places = HashMap::new();
        for &group in &other.of {
            let place = *places.entry(group).or_insert_with(|| {
                let name = other.names.get(group as usize);
                let known = name.and_then(|name| self.names.iter().position(|n| n == name));
                known.map_or_else(
                    || {
                        next += 1;
                        next - 1
                    },
                    |place| place as u32,
                )
            });
            self.of.push(place);
        }
    }

    /// Returns the name of a group: its number, counted from 1, if it has none.
    #[must_use]
    pub fn name(&self, group: u32) -> String {
        self.names.get(group as usize).cloned().unwrap_or_else(|| (group + 1).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_one_name_are_one() {
        let named = |words: &[&str]| {
            let (mut groups, mut seen) = (Groups::default(), HashMap::new());
            words.iter().for_each(|word| groups.push(&mut seen, word));
            groups
        };
        let mut all = named(&["a", "b", "a"]);
        all.append(3, &named(&["c", "b", "c"]), 3);
        assert_eq!(all.of, [0, 1, 0, 2, 1, 2]);
        all.append(6, &Groups::default(), 2);
        assert_eq!(all.of[6..], [3, 4]);
        let mut later = Groups::default();
        later.append(2, &named(&["b", "b"]), 2);
        assert_eq!(later.of, [0, 1, 2, 2]);
    }
}
