//! Plain aligned text, as DAOS prints tables: titles, a rule under each title, cells to the left.

/// Rows under titles.
#[derive(Debug, Clone)]
pub struct Table {
    titles: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// No rows yet.
    pub fn new<const COLUMNS: usize>(titles: [&'static str; COLUMNS]) -> Table {
        Table { titles: titles.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with one cell per title.
    pub fn row<const COLUMNS: usize>(&mut self, cells: [String; COLUMNS]) {
        assert_eq!(COLUMNS, self.titles.len(), "a row has one cell per title");
        self.rows.push(cells.into());
    }

    /// No rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, each with its end.
    pub fn render(&self) -> String {
        let rule: Vec<String> = self.titles.iter().map(|title| "-".repeat(title.chars().count())).collect();
        let titles: Vec<String> = self.titles.iter().map(|title| (*title).to_owned()).collect();
        let lines: Vec<&Vec<String>> = [&titles, &rule].into_iter().chain(&self.rows).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..titles.len()).map(width).collect();
        let mut text = String::new();
        for line in lines {
            let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
            text.push_str(cells.join(" ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// A name between two rules, above what belongs to it.
pub fn heading(name: &str) -> String {
    let rule = "-".repeat(name.chars().count());
    format!("{rule}\n{name}\n{rule}\n")
}

/// Every line of `text` two columns to the right.
pub fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["Rank", "State"]);
        table.row(["0".to_owned(), "Joined".to_owned()]);
        table.row(["[10-120]".to_owned(), String::new()]);
        insta::assert_snapshot!(table.render(), @r"
        Rank     State
        ----     -----
        0        Joined
        [10-120]
        ");
    }

    #[test]
    fn a_heading_is_as_wide_as_its_name() {
        insta::assert_snapshot!(heading("node[1-2]"), @r"
        ---------
        node[1-2]
        ---------
        ");
    }
}
