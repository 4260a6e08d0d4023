//! Colour maps that are perceptually uniform: lightness in Oklab (Ottosson 2020) changes linearly with the value.

/// A colour in sRGB.
pub(crate) type Rgb = [u8; 3];

/// Hue of the sequential map and of positive values (degrees in Oklab): blue.
const BLUE: f64 = 255.0;
/// Hue of negative values: orange, which no common colour blindness confuses with blue.
const ORANGE: f64 = 55.0;
/// Lightness of the darkest colour; white is 1.
const DARKEST: f64 = 0.30;

/// White at 0 to dark blue at 1.
pub(crate) fn sequential(value: f64) -> Rgb {
    tint(value, BLUE)
}

/// Dark orange at −1, white at 0, dark blue at 1.
pub(crate) fn diverging(value: f64) -> Rgb {
    // Half the way down only: numbers stay readable on the colours, and both hues still look like themselves.
    if value < 0.0 { tint(-value * 0.75, ORANGE) } else { tint(value * 0.75, BLUE) }
}

/// Whether black text reads better than white on `colour`.
pub(crate) fn wants_dark_text(colour: Rgb) -> bool {
    relative_luminance(colour) > 0.179
}

/// Relative luminance (WCAG 2): 0 for black, 1 for white.
pub(crate) fn relative_luminance(colour: Rgb) -> f64 {
    let [red, green, blue] = colour.map(linear);
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// The colour that `#rrggbb` stands for.
pub(crate) fn of_hex(text: &str) -> Option<Rgb> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let channel = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    Some([channel(0)?, channel(2)?, channel(4)?])
}

/// How different two colours look: their distance in Oklab, 1 between black and white.
pub(crate) fn oklab_distance(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (to_oklab(one), to_oklab(other));
    one.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// A colour with its lightness changed, within what is seen on white and is not black, and its hue turned by degrees.
pub(crate) fn hue_turned(colour: Rgb, lightness: f64, degrees: f64) -> Rgb {
    let [own, a, b] = to_oklab(colour);
    // Grey has no hue to turn: it gets a little chroma.
    let chroma = a.hypot(b).max(0.08);
    from_oklch((own + lightness).clamp(0.35, 0.85), chroma, b.atan2(a).to_degrees() + degrees)
}

/// `#rrggbb`.
pub(crate) fn hex(colour: Rgb) -> String {
    format!("#{:02x}{:02x}{:02x}", colour[0], colour[1], colour[2])
}

fn tint(value: f64, hue: f64) -> Rgb {
    let value = value.clamp(0.0, 1.0);
    let chroma = 0.26 * value * (1.0 - 0.6 * value);
    from_oklch(1.0 - (1.0 - DARKEST) * value, chroma, hue)
}

/// Oklab lightness, chroma and hue to sRGB (B. Ottosson, "A perceptual color space for image processing", 2020).
fn from_oklch(lightness: f64, chroma: f64, hue_degrees: f64) -> Rgb {
    let (sine, cosine) = hue_degrees.to_radians().sin_cos();
    let (a, b) = (chroma * cosine, chroma * sine);
    let long = (lightness + 0.3963377774 * a + 0.2158037573 * b).powi(3);
    let medium = (lightness - 0.1055613458 * a - 0.0638541728 * b).powi(3);
    let short = (lightness - 0.0894841775 * a - 1.2914855480 * b).powi(3);
    [
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    ]
    .map(|linear| {
        let linear = linear.clamp(0.0, 1.0);
        let encoded =
            if linear <= 0.0031308 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
        (encoded * 255.0).round() as u8
    })
}

/// sRGB to Oklab: lightness, a (green to red), b (blue to yellow).
fn to_oklab(colour: Rgb) -> [f64; 3] {
    let [red, green, blue] = colour.map(linear);
    let long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue).cbrt();
    let medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue).cbrt();
    let short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue).cbrt();
    [
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    ]
}

/// A channel of sRGB on a linear scale of light.
fn linear(channel: u8) -> f64 {
    let channel = f64::from(channel) / 255.0;
    if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oklab_is_there_and_back_again() {
        // sRGB red is L 0.62796, C 0.25768 (CSS Color 4).
        let [lightness, a, b] = to_oklab([255, 0, 0]);
        assert!((lightness - 0.62796).abs() < 1e-4 && (a.hypot(b) - 0.25768).abs() < 1e-4);
        for colour in [[255, 144, 159], [8, 133, 140], [126, 208, 75]] {
            assert_eq!(hue_turned(colour, 0.0, 360.0), colour);
        }
        assert!((oklab_distance([0; 3], [255; 3]) - 1.0).abs() < 1e-4);
        assert_eq!(of_hex("#0072B2"), Some([0, 0x72, 0xB2]));
        assert_eq!((of_hex("#0072B"), of_hex("0072B2"), of_hex("#00é2B")), (None, None, None));
    }

    #[test]
    fn oklch_matches_published_colours() {
        // sRGB red is L 0.62796, C 0.25768, h 29.234 (CSS Color 4).
        assert_eq!(from_oklch(0.62796, 0.25768, 29.234), [255, 0, 0]);
        assert_eq!(from_oklch(1.0, 0.0, 0.0), [255, 255, 255]);
        assert_eq!(from_oklch(0.0, 0.0, 0.0), [0, 0, 0]);
    }

    #[test]
    fn sequential_map_only_gets_darker() {
        let brightness =
            |value: f64| sequential(value).iter().map(|&channel| u32::from(channel)).sum::<u32>();
        let steps: Vec<u32> = (0..=20).map(|index| brightness(f64::from(index) / 20.0)).collect();
        assert!(steps.windows(2).all(|pair| pair[0] > pair[1]), "{steps:?}");
        assert_eq!(sequential(0.0), [255, 255, 255]);
        assert_eq!(sequential(7.0), sequential(1.0));
    }

    #[test]
    fn diverging_map_is_white_at_zero_with_a_hue_on_each_side() {
        assert_eq!(diverging(0.0), [255, 255, 255]);
        let (negative, positive) = (diverging(-1.0), diverging(1.0));
        assert!(negative[0] > negative[2] && positive[2] > positive[0]);
        assert!(wants_dark_text(diverging(0.1)) && !wants_dark_text(positive));
    }
}
