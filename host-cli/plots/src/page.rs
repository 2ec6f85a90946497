//! Pages of HTML that need nothing but themselves.

use serde_json::json;

use crate::color::of_class;
use crate::pca::Pca;
use crate::surface::Figure;
use crate::svg::{self, escape};

const STYLE: &str = include_str!("style.css");

/// The principal components, to be turned with the mouse.
const CLOUD: &str = include_str!("cloud.html");

/// A page of one title; `body` is markup.
fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(title)
    )
}

/// Canvas and script; coordinates as whole thousandths of the largest.
fn cloud(pca: &Pca) -> String {
    let places = || pca.points.iter().flat_map(|(place, _)| *place);
    let largest = places().fold(0.0, |most: f64, value| most.max(value.abs()));
    let unit = if largest > 0.0 { 1000.0 / largest } else { 0.0 };
    let colors: Vec<String> =
        (0..pca.names().len()).map(|class| of_class(class).to_string()).collect();
    let data = json!({
        "names": pca.names(),
        "colors": colors,
        "shares": pca.shares,
        "labels": pca.points.iter().map(|(_, label)| *label).collect::<Vec<_>>(),
        "places": places().map(|value| (value * unit).round() as i64).collect::<Vec<_>>(),
    });
    // A name cannot end the script: `<` is written as JSON's escape.
    CLOUD.replace("/*DATA*/", &data.to_string().replace('<', "\\u003c"))
}

/// A page of the principal components alone.
#[must_use]
pub fn pca(pca: &Pca) -> String {
    let body = format!(
        "<h1>Principal components</h1>\n<p class=\"lead\">{}</p>\n{}",
        escape(&pca.note()),
        cloud(pca)
    );
    page("Principal components", &body)
}

/// One part of a report.
pub enum Part {
    /// A table of names and values.
    Settings(Vec<(&'static str, String)>),
    /// A figure.
    Figure(Figure),
    /// Principal components on an interactive canvas.
    Cloud(Box<Pca>),
    /// Why something is missing.
    Note(String),
}

/// A page of many parts, each with a title and a name to link to.
#[must_use]
pub fn report(title: &str, lead: &str, parts: &[(&str, &str, Part)]) -> String {
    let mut body = format!("<h1>{}</h1>\n<p class=\"lead\">{}</p>\n", escape(title), escape(lead));
    for (id, heading, part) in parts {
        body += &format!("<section id=\"{id}\">\n<h2>{}</h2>\n", escape(heading));
        match part {
            Part::Settings(rows) => {
                body += "<table>\n";
                for (name, value) in rows {
                    let (name, value) = (escape(name), escape(value));
                    body += &format!("<tr><th>{name}</th><td><code>{value}</code></td></tr>\n");
                }
                body += "</table>\n";
            }
            Part::Figure(figure) => {
                body += &format!("<figure>\n{}</figure>\n", svg::write(figure));
            }
            Part::Cloud(pca) => body += &cloud(pca),
            Part::Note(note) => body += &format!("<p>{}</p>\n", escape(note)),
        }
        body += "</section>\n";
    }
    page(title, &body)
}
