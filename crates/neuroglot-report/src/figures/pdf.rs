//! SVG to PDF: lines stay lines, and text stays text in a font that the file brings along.

use svg2pdf::usvg::{self, ImageHrefResolver, Options, Tree};
use svg2pdf::{ConversionOptions, PageOptions};

/// Pixels of a figure that are an inch on the page, as in CSS.
const DPI: f32 = 96.0;

/// Makes PDFs of SVGs with one font, whatever this machine has.
pub(super) struct PdfMaker {
    options: Options<'static>,
}

impl PdfMaker {
    pub fn new() -> PdfMaker {
        let mut options = Options {
            // Figures hold their images; files that one might name are not read.
            image_href_resolver: ImageHrefResolver {
                resolve_string: Box::new(|_, _| None),
                ..ImageHrefResolver::default()
            },
            ..Options::default()
        };
        let fonts = options.fontdb_mut();
        fonts.load_font_data(dejavu::sans_condensed::regular().to_vec());
        fonts.load_font_data(dejavu::sans_condensed::bold().to_vec());
        // Figures ask for Helvetica and the like first and for any sans-serif font last.
        let family =
            fonts.faces().next().and_then(|face| face.families.first()).map(|(name, _)| name.clone());
        fonts.set_sans_serif_family(family.unwrap_or_default());
        PdfMaker { options }
    }

    /// The PDF of an SVG document: one page of its size.
    ///
    /// # Errors
    /// What is wrong with the document, in words.
    pub fn pdf(&self, svg: &str) -> Result<Vec<u8>, String> {
        let tree = Tree::from_str(svg, &self.options).map_err(|error: usvg::Error| error.to_string())?;
        svg2pdf::to_pdf(&tree, ConversionOptions::default(), PageOptions { dpi: DPI })
            .map_err(|error| error.to_string())
    }
}
