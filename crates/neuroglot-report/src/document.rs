//! An HTML document of sections.

use crate::style::CSS;
use crate::text::escape;

/// One section under a heading of the second level; left out where its body is empty.
pub(crate) struct Section {
    pub id: &'static str,
    pub heading: &'static str,
    pub body: String,
}

/// A figure of a section: SVG elements and what else stands there. `name` tells it from the others of its section and session,
/// where there are others; a file of its own is named by it.
pub(crate) fn figure(name: &str, content: &str) -> String {
    format!("<figure data-name=\"{}\">{content}</figure>\n", escape(name))
}

/// The whole document. `title`, `lead` and `footer` are text, the last escaped already where it holds names; `head` and
/// `main` are markup that stands in the header and before the sections.
pub(crate) fn document(
    title: &str,
    lead: &str,
    head: &str,
    main: &str,
    sections: &[Section],
    footer: &str,
) -> String {
    let title = escape(title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{title}</title>\n\
         <style>{CSS}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n<p class=\"lead\">{}</p>\n\
         {head}</header>\n<main>\n{main}",
        escape(lead)
    );
    for Section { id, heading, body } in sections.iter().filter(|section| !section.body.is_empty()) {
        out.push_str(&format!("<section>\n<h2 id=\"{id}\">{heading}</h2>\n{body}</section>\n"));
    }
    out.push_str(&format!("</main>\n<footer>{footer}</footer>\n</body>\n</html>\n"));
    out
}
