//! Small images as PNG inside the page.

use super::colour_map::{Rgb, sequential};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Shades of the map: more cannot be told apart, and fewer make smaller files.
const SHADES: usize = 64;
/// Palette entry of a value that is missing.
const MISSING: u8 = SHADES as u8;
/// Colour of a value that is missing: grey, which the map never takes.
const MISSING_COLOUR: Rgb = [200, 200, 200];

/// Most rows drawn of one map.
pub(crate) const MOST_ROWS: usize = 200;
/// Most columns drawn of one map; longer rows are averaged down.
pub(crate) const MOST_COLUMNS: usize = 400;

/// An indexed image of one shade per value.
pub(crate) struct Raster {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Raster {
    /// The first [`MOST_ROWS`] of `rows` (`[row][column]`), shaded by the square root from 0 to `top`. Rows may differ in length: what a
    /// row lacks is missing, as is what is not finite. `None` if there is nothing to draw.
    pub fn shaded(rows: &[Vec<f32>], top: f64) -> Option<Raster> {
        let rows = &rows[..rows.len().min(MOST_ROWS)];
        let columns = rows.iter().map(Vec::len).max().filter(|&columns| columns > 0)?;
        let pooled = columns.div_ceil(MOST_COLUMNS);
        let width = columns.div_ceil(pooled);
        let mut pixels = Vec::with_capacity(width * rows.len());
        for row in rows {
            for column in 0..width {
                let end = ((column + 1) * pooled).min(row.len());
                pixels.push(shade(row.get(column * pooled..end).unwrap_or(&[]), top));
            }
        }
        Some(Raster { width, height: rows.len(), pixels })
    }

    /// Whether any value is missing.
    pub fn has_missing(&self) -> bool {
        self.pixels.contains(&MISSING)
    }

    /// The image as a `data:` address; `None` if it cannot be encoded.
    pub fn data_address(&self) -> Option<String> {
        let mut palette = Vec::with_capacity(3 * (SHADES + 1));
        for index in 0..SHADES {
            palette.extend(sequential(index as f64 / (SHADES - 1) as f64));
        }
        palette.extend(MISSING_COLOUR);

        let mut file = Vec::new();
        let (width, height) = (u32::try_from(self.width).ok()?, u32::try_from(self.height).ok()?);
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(palette);
        encoder.set_compression(png::Compression::High);
        encoder.set_filter(png::Filter::NoFilter);
        let mut writer = encoder.write_header().ok()?;
        writer.write_image_data(&self.pixels).ok()?;
        writer.finish().ok()?;
        Some(format!("data:image/png;base64,{}", STANDARD.encode(file)))
    }
}

fn shade(values: &[f32], top: f64) -> u8 {
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
    if !mean.is_finite() {
        return MISSING;
    }
    let part = if top > 0.0 { (mean / top).clamp(0.0, 1.0).sqrt() } else { 0.0 };
    (part * (SHADES - 1) as f64).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(raster: &Raster) -> (u32, u32, Vec<u8>) {
        let address = raster.data_address().expect("encoded");
        let data = address.strip_prefix("data:image/png;base64,").expect("a PNG address");
        let file = STANDARD.decode(data).expect("base64");
        let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().expect("a PNG header");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a small image")];
        let info = reader.next_frame(&mut pixels).expect("pixels");
        (info.width, info.height, pixels)
    }

    #[test]
    fn image_decodes_to_the_values_drawn() {
        let rows = vec![vec![0.0, 1.0, 2.0], vec![f32::NAN, 9.0]];
        let raster = Raster::shaded(&rows, 2.0).expect("something to draw");
        assert!(raster.has_missing());
        let (width, height, pixels) = decoded(&raster);
        assert_eq!((width, height), (3, 2));
        let (white, dark, grey) = ([255; 3], sequential(1.0), MISSING_COLOUR);
        assert_eq!(pixels[0..3], white);
        assert_eq!(pixels[6..9], dark);
        assert_eq!(pixels[9..12], grey);
        assert_eq!(pixels[12..15], dark);
        assert_eq!(pixels[15..18], grey);
    }

    #[test]
    fn shades_follow_the_square_root() {
        let raster = Raster::shaded(&[vec![0.0, 0.25, 1.0]], 1.0).expect("something to draw");
        assert_eq!(raster.pixels, [0, 32, 63]);
    }

    #[test]
    fn large_maps_are_bounded_and_long_rows_averaged() {
        let mut rows = vec![vec![1.0f32; 1001]; 300];
        rows[0][0] = 4.0;
        let raster = Raster::shaded(&rows, 2.0).expect("something to draw");
        let (width, height, pixels) = decoded(&raster);
        assert_eq!((width, height), (334, 200));
        // (4 + 1 + 1) / 3 = 2, the top of the map.
        assert_eq!(pixels[0..3], sequential(1.0));
    }

    #[test]
    fn nothing_to_draw_is_no_image() {
        assert!(Raster::shaded(&[], 1.0).is_none());
        assert!(Raster::shaded(&[vec![], vec![]], 1.0).is_none());
    }
}
