//! The rows of a CSV file, and sentences about them.

use std::io::{self, ErrorKind, Read};
use std::path::Path;

use ::csv::{ByteRecord, Position, Reader, ReaderBuilder};
use anyhow::{Result, anyhow, ensure};

use super::cell::shown;
use super::{arff, json};
use crate::data::input::Input;
use crate::data::schema::{CsvDelimiter, CsvHeader, Schema, Target};
use crate::file_kind::{self, FileKind};

/// Bytes of a row at most: two million pixels, and what a row of empty fields may cost.
const MOST_ROW: usize = 8 << 20;

/// The rows of a file.
pub(super) struct Rows<'a> {
    path: &'a Path,
    lines: Lines,
    /// Lines that were read, of a form that has a row in each.
    skipped: u64,
    /// The names of the columns, where another form than CSV has them.
    header: Option<ByteRecord>,
    /// Whether the classes of each column are listed; empty if the file does not say.
    are_nominal: Vec<bool>,
    pub(super) delimiter: u8,
    /// Whether an empty last field was dropped.
    drops_last: bool,
    /// The fields of the first row.
    count: Option<usize>,
}

/// How rows lie in a file.
enum Lines {
    /// CSV.
    Fields(Reader<Capped>),
    /// JSON lines.
    Objects(Input, json::Columns),
    /// ARFF, behind its header.
    Values(Input),
}

/// Reads on, up to a number of bytes that is set anew for each row, so that a field without an end does not fill the memory.
struct Capped {
    input: Input,
    left: usize,
}

impl Read for Capped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let what =
                format!("a row has more than {} MiB: no end of it was found", MOST_ROW >> 20);
            return Err(io::Error::new(ErrorKind::FileTooLarge, what));
        }
        let most = buffer.len().min(self.left);
        let read = self.input.read(&mut buffer[..most])?;
        self.left -= read;
        Ok(read)
    }
}

impl<'a> Rows<'a> {
    /// Finds out what form the rows have.
    pub(super) fn new(path: &'a Path, input: Input, delimiter: CsvDelimiter) -> Result<Self> {
        let first = input.start().trim_ascii_start().first().copied();
        if first == Some(b'{') {
            return Self::objects(path, input);
        }
        if file_kind::detect(input.start()).is_some_and(FileKind::is_arff) {
            return Self::arff(path, input);
        }
        Self::fields(path, input, delimiter)
    }

    fn objects(path: &'a Path, mut input: Input) -> Result<Self> {
        let mut skipped = 0;
        let line = loop {
            let line = input.line(MOST_ROW).map_err(|error| input.explain(error))?;
            if !line.trim_ascii().is_empty() {
                break line;
            }
            skipped += 1;
        };
        let at = |why: String| anyhow!("{}, line {}: {why}", path.display(), skipped + 1);
        let columns = json::Columns::new(&line).map_err(at)?;
        let header = Some(columns.header());
        input.unread(&line);
        let lines = Lines::Objects(input, columns);
        Ok(Self {
            path,
            lines,
            skipped,
            header,
            are_nominal: vec![],
            delimiter: b',',
            drops_last: false,
            count: None,
        })
    }

    fn arff(path: &'a Path, mut input: Input) -> Result<Self> {
        let (mut header, mut skipped) = (arff::Header::default(), 0);
        loop {
            let line = input.line(MOST_ROW).map_err(|error| input.explain(error))?;
            skipped += 1;
            let at = |why: String| anyhow!("{}, line {skipped}: {why}", path.display());
            ensure!(!line.is_empty(), at("expected @data, got the end of the file".to_owned()));
            if header.read(&line).map_err(at)? {
                break;
            }
        }
        let lines = Lines::Values(input);
        let (are_nominal, header) = (header.are_nominal, Some(header.names));
        Ok(Self {
            path,
            lines,
            skipped,
            header,
            are_nominal,
            delimiter: b',',
            drops_last: false,
            count: None,
        })
    }

    /// Finds out what separates the fields. Lines that begin with `#` are comments, and `sep=;` is Excel's word to itself.
    fn fields(path: &'a Path, mut input: Input, delimiter: CsvDelimiter) -> Result<Self> {
        let start = input.start();
        let mark = if start.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let told = start[mark..].strip_prefix(b"sep=").and_then(|rest| rest.first().copied());
        let told = told.filter(|byte| b";,\t ".contains(byte));
        let is_data = |line: &&[u8]| !line.trim_ascii().is_empty() && !line.starts_with(b"#");
        let line = start[mark..].split(|byte| *byte == b'\n').find(is_data);
        let line = line.unwrap_or_default().trim_ascii();
        // Commas last but for spaces: beside other delimiters they may be decimal points.
        let first = *b";\t, ".iter().find(|byte| line.contains(byte)).unwrap_or(&b',');
        if told.is_some() {
            let line =
                start.iter().position(|byte| *byte == b'\n').map_or(start.len(), |at| at + 1);
            io::copy(&mut input.by_ref().take(line as u64), &mut io::sink())
                .map_err(|error| input.explain(error))?;
        }
        let delimiter = match delimiter {
            CsvDelimiter::Auto => told.unwrap_or(first),
            CsvDelimiter::Comma => b',',
            CsvDelimiter::Semicolon => b';',
            CsvDelimiter::Tab => b'\t',
            CsvDelimiter::Space => b' ',
        };
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .delimiter(delimiter)
            .from_reader(Capped { input, left: 0 });
        let lines = Lines::Fields(reader);
        Ok(Self {
            path,
            lines,
            skipped: 0,
            header: None,
            are_nominal: vec![],
            delimiter,
            drops_last: false,
            count: None,
        })
    }

    /// Completes `schema` by what the form of the file says: that its columns have names, and, of ARFF, that a last column whose
    /// classes are listed is the target.
    pub(super) fn schema(&self, schema: &Schema) -> Schema {
        let mut schema = schema.clone();
        if self.header.is_some() {
            schema.csv_header = CsvHeader::Yes;
        }
        if self.are_nominal.last() == Some(&true) && schema.target == Target::Auto {
            schema.target = Target::Last;
        }
        schema
    }

    /// Whether the file lists the classes of a column.
    pub(super) fn is_nominal(&self, column: usize) -> bool {
        self.are_nominal.get(column) == Some(&true)
    }

    /// Reads the next row; returns false at the end. Skips empty lines, and an empty field after the last column.
    pub(super) fn next(&mut self, record: &mut ByteRecord) -> Result<bool> {
        if let Some(header) = self.header.take_if(|_| self.count.is_none()) {
            self.count = Some(header.len());
            *record = header;
            return Ok(true);
        }
        loop {
            let Lines::Fields(reader) = &mut self.lines else {
                let is_row = self.next_line(record)?;
                if is_row {
                    break;
                }
                return Ok(false);
            };
            reader.get_mut().left = MOST_ROW;
            let is_row = reader.read_byte_record(record);
            let is_row = is_row.map_err(|error| match error.into_kind() {
                ::csv::ErrorKind::Io(error) => reader.get_ref().input.explain(error),
                other => anyhow!("{}: {other:?}", self.path.display()),
            })?;
            if !is_row {
                return Ok(false);
            }
            if self.delimiter == b' ' {
                // Columns may be aligned by several spaces; a line of spaces alone is empty.
                let position = record.position().cloned();
                *record = record.iter().filter(|field| !field.is_empty()).collect();
                record.set_position(position);
            }
            if !record.is_empty() {
                break;
            }
        }
        let is_last_empty = record.len() > 1 && record[record.len() - 1].is_empty();
        if is_last_empty && self.count.is_none_or(|count| record.len() == count + 1) {
            record.truncate(record.len() - 1);
            self.drops_last = true;
        }
        let count = *self.count.get_or_insert(record.len());
        ensure!(
            record.len() == count,
            "{}, line {}: expected {count} columns as in the first line, got {}",
            self.path.display(),
            line(record),
            record.len()
        );
        Ok(true)
    }

    /// Reads the next row of a form that has one in each line; returns false at the end. Skips empty lines and comments.
    fn next_line(&mut self, record: &mut ByteRecord) -> Result<bool> {
        let (Lines::Objects(input, _) | Lines::Values(input)) = &mut self.lines else {
            return Ok(false);
        };
        let line = loop {
            let line = input.line(MOST_ROW).map_err(|error| input.explain(error))?;
            if line.is_empty() {
                return Ok(false);
            }
            self.skipped += 1;
            let text = line.trim_ascii();
            if !text.is_empty() && !text.starts_with(b"%") {
                break line;
            }
        };
        let read = match &self.lines {
            Lines::Objects(_, columns) => columns.read(&line),
            _ => arff::row(&line),
        };
        let number = self.skipped;
        *record = read.map_err(|why| anyhow!("{}, line {number}: {why}", self.path.display()))?;
        let mut position = Position::new();
        position.set_line(number);
        record.set_position(Some(position));
        Ok(true)
    }

    /// Refuses gzip data that was made to fill the memory.
    pub(super) fn check_growth(&self, kept: usize) -> Result<()> {
        let input = match &self.lines {
            Lines::Fields(reader) => &reader.get_ref().input,
            Lines::Objects(input, _) | Lines::Values(input) => input,
        };
        input.check_growth(kept)
    }

    /// The form of the rows, in words.
    pub(super) fn how_delimited(&self, has_header: bool) -> String {
        match self.lines {
            Lines::Fields(_) => {}
            Lines::Objects(..) => return "of JSON lines".to_owned(),
            Lines::Values(_) => return "of ARFF".to_owned(),
        }
        let header = if has_header { "after a header" } else { "without header" };
        let delimiter = match self.delimiter {
            b';' => ", fields separated by semicolons",
            b'\t' => ", fields separated by tabs",
            b' ' => ", fields separated by spaces",
            _ => "",
        };
        let last = if self.drops_last { ", an empty last column dropped" } else { "" };
        format!("{header}{delimiter}{last}")
    }

    /// Says what is wrong with a field, whose column has this title.
    pub(super) fn wrong(
        &self,
        record: &ByteRecord,
        title: &str,
        expected: &str,
        got: &[u8],
    ) -> anyhow::Error {
        anyhow!(
            "{}, line {}, {title}: expected {expected}, got {}",
            self.path.display(),
            line(record),
            shown(got)
        )
    }
}

/// The line on which a row begins, from 1.
pub(super) fn line(record: &ByteRecord) -> u64 {
    record.position().map_or(0, ::csv::Position::line)
}
