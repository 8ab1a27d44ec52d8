//! Parts of lists.

use nodepanel_types::api::Page;

/// Which part of a list.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// `next` of the part before.
    pub after: Option<String>,
    /// At most this many.
    pub limit: usize,
    /// Only what contains this text; case does not matter.
    pub search: Option<String>,
}

/// Separates a name from what makes it unique, in the order of a list.
const UNIQUE: char = '\u{0}';

impl ListQuery {
    /// The part of `all` that was asked for, in the order of `name`, which is also what is searched. Only the elements
    /// of the part are made into views.
    pub fn page<R, V>(&self, all: Vec<R>, name: impl Fn(&R) -> String, view: impl Fn(&R) -> V) -> Page<V> {
        let wanted = self.search.as_deref().map(str::to_lowercase);
        let mut named: Vec<(String, R)> = all
            .into_iter()
            .map(|element| (name(&element).to_lowercase(), element))
            .filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| name.contains(wanted.as_str())))
            .collect();
        named.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let total = named.len() as u64;
        let start = self.after.as_ref().map_or(0, |after| named.partition_point(|(name, _)| name <= after));
        let mut rest = named.into_iter().skip(start);
        let part: Vec<(String, R)> = rest.by_ref().take(self.limit).collect();
        let next = rest.next().and_then(|_| part.last().map(|(name, _)| name.clone()));
        Page { items: part.iter().map(|(_, element)| view(element)).collect(), total, next }
    }

    /// A name that sorts by `name` and is unique by `id`.
    pub fn sort_key(name: &str, id: impl std::fmt::Display) -> String {
        format!("{name}{UNIQUE}{id}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_without_gap_or_repetition() {
        let all: Vec<String> = (0..25).map(|n| format!("Name {n:02}")).collect();
        let mut query = ListQuery { limit: 10, ..ListQuery::default() };
        let mut seen = Vec::new();
        loop {
            let page = query.page(all.clone(), Clone::clone, Clone::clone);
            assert_eq!(page.total, 25);
            seen.extend(page.items);
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn a_search_ignores_case() {
        let query = ListQuery { limit: 10, search: Some("B".to_owned()), ..ListQuery::default() };
        let page = query.page(vec!["abc", "xyz"], |name| (*name).to_owned(), |name| *name);
        assert_eq!((page.items, page.total, page.next), (vec!["abc"], 1, None));
    }
}
