//! Small images as PNG inside the page.

use super::colour_map::{Rgb, diverging, sequential};
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
    /// The colour of a part of the way from the first shade, 0, to the last, 1.
    colour: fn(f64) -> Rgb,
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
        Some(Raster { width, height: rows.len(), pixels, colour: sequential })
    }

    /// A square of values of both signs, `[row, column]`, shaded by the square root of their size from −`reach` to `reach`. Where
    /// there are more than [`MOST_COLUMNS`] rows, a pixel stands for several, and shows the value furthest from 0.
    pub fn of_both_signs(values: &[f32], side: usize, reach: f64) -> Raster {
        let pooled = side.div_ceil(MOST_COLUMNS).max(1);
        let width = side.div_ceil(pooled);
        let mut furthest = vec![0f32; width * width];
        for (row, values) in values.chunks(side.max(1)).enumerate() {
            for (column, value) in values.iter().enumerate() {
                let pixel = &mut furthest[row / pooled * width + column / pooled];
                // What is not finite compares as no further than anything.
                if value.abs() > pixel.abs() {
                    *pixel = *value;
                }
            }
        }
        let shade = |value: f32| {
            let part = (f64::from(value) / reach).clamp(-1.0, 1.0);
            let part = part.abs().sqrt().copysign(part);
            ((part + 1.0) / 2.0 * (SHADES - 2) as f64).round() as u8
        };
        let pixels = furthest.into_iter().map(shade).collect();
        // An odd number of shades, so that one of them is white.
        let colour = |part| diverging(part * (SHADES - 1) as f64 / (SHADES - 2) as f64 * 2.0 - 1.0);
        Raster { width, height: width, pixels, colour }
    }

    /// Whether any value is missing.
    pub fn has_missing(&self) -> bool {
        self.pixels.contains(&MISSING)
    }

    /// The image as a `data:` address; `None` if it cannot be encoded.
    pub fn data_address(&self) -> Option<String> {
        let mut palette = Vec::with_capacity(3 * (SHADES + 1));
        for index in 0..SHADES {
            palette.extend((self.colour)(index as f64 / (SHADES - 1) as f64));
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
    fn values_of_both_signs_are_centred_at_white_and_the_furthest_is_kept() {
        let raster = Raster::of_both_signs(&[0.0, 1.0, -1.0, -0.25], 2, 1.0);
        let (_, _, pixels) = decoded(&raster);
        assert_eq!(pixels[0..3], [255; 3]);
        assert_eq!(pixels[3..6], diverging(1.0));
        assert_eq!(pixels[6..9], diverging(-1.0));
        // The root of a quarter is a half: 15.5 of the 31 shades below white.
        assert_eq!(raster.pixels[3], 16);

        let side = 801;
        let mut values = vec![0.0; side * side];
        values[side + 1] = -2.0;
        values[side + 2] = 1.0;
        let (width, height, pixels) = decoded(&Raster::of_both_signs(&values, side, 2.0));
        assert_eq!((width, height), (267, 267));
        assert_eq!(pixels[0..3], diverging(-1.0));
        assert_eq!(pixels[3..6], [255; 3]);
    }

    #[test]
    fn nothing_to_draw_is_no_image() {
        assert!(Raster::shaded(&[], 1.0).is_none());
        assert!(Raster::shaded(&[vec![], vec![]], 1.0).is_none());
    }
}
