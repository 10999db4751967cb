"""The voice: pitch, formants, tilt and noise come out as they were asked for."""

from dataclasses import replace

import numpy as np
import pytest

from emovec.audio.functionals import pitch_track
from emovec.corpora import voice

PLAIN = voice.Throat(
    stretch=np.ones(5),
    open_quotient=0.6,
    tilt=0.0,
    breath=0.0,
    jitter=0.0,
    shimmer=0.0,
)


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def hold(sound: voice.Sound, throat: voice.Throat = PLAIN, pitch: float = 100.0) -> np.ndarray:
    """One second of one sound."""
    frames = voice.SAMPLE_RATE // voice.HOP
    return voice.speak([sound], np.array([1.0]), np.full(frames, pitch), throat, random())


def level(wave: np.ndarray, low: float, high: float) -> float:
    """Power between two frequencies in dB."""
    frequencies = np.fft.rfftfreq(len(wave), 1 / voice.SAMPLE_RATE)
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    return float(10 * np.log10(power[(frequencies >= low) & (frequencies < high)].sum()))


def loudest(wave: np.ndarray, low: float, high: float) -> float:
    """Frequency between two others at which the smoothed spectrum is highest."""
    frequencies = np.fft.rfftfreq(len(wave), 1 / voice.SAMPLE_RATE)
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    smooth = np.convolve(power, np.hanning(101), mode="same")
    inside = (frequencies >= low) & (frequencies < high)
    return float(frequencies[inside][smooth[inside].argmax()])


@pytest.mark.parametrize("pitch", [80.0, 125.0, 310.0])
def test_pulses_repeat_at_the_pitch(pitch):
    pulses = voice.glottal_pulses(np.full(voice.SAMPLE_RATE, pitch), PLAIN, random())
    assert np.median(pitch_track(pulses, voice.SAMPLE_RATE)) == pytest.approx(pitch, rel=0.01)
    assert pulses.min() >= -1 and pulses.max() < 0.5
    assert abs(pulses.mean()) < 0.01  # the flow comes back to where it began


def test_pulses_rest_while_the_glottis_is_closed():
    pulses = voice.glottal_pulses(np.full(voice.SAMPLE_RATE, 100.0), PLAIN, random())
    assert np.mean(pulses == 0) == pytest.approx(1 - PLAIN.open_quotient, abs=0.02)


@pytest.mark.parametrize("jitter", [0.0, 0.01, 0.03])
def test_jitter_is_the_deviation_of_cycles(jitter):
    throat = replace(PLAIN, jitter=jitter)
    pulses = voice.glottal_pulses(np.full(10 * voice.SAMPLE_RATE, 100.0), throat, random())
    closures = np.flatnonzero((pulses[1:-1] < -0.4) & (pulses[1:-1] <= pulses[2:]))
    closures = closures[np.diff(closures, prepend=-100) > 40]
    lengths = np.diff(closures) / 160
    assert lengths.std() == pytest.approx(jitter, abs=0.006)


def test_shimmer_is_the_deviation_of_heights():
    throat = replace(PLAIN, shimmer=0.1)
    pulses = voice.glottal_pulses(np.full(10 * voice.SAMPLE_RATE, 100.0), throat, random())
    heights = pulses.reshape(-1, 160).max(axis=1)
    assert heights.std() / heights.mean() == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("vowel", ["a", "e", "i", "o", "u"])
@pytest.mark.parametrize("stretch", [1.0, 1.17])
def test_whispered_vowels_peak_at_their_formants(vowel, stretch):
    whisper = replace(PLAIN, breath=1000.0, stretch=np.full(5, stretch))
    sound = voice.VOWELS[vowel]
    wave = hold(sound, whisper)
    first, second, third = (formant * stretch for formant in sound.formants)
    between = np.sqrt(first * second)
    assert loudest(wave, 0.6 * first, between) == pytest.approx(first, rel=0.15)
    assert loudest(wave, between, np.sqrt(second * third)) == pytest.approx(second, rel=0.1)


def test_tilt_is_decibels_an_octave():
    flat, steep = hold(voice.VOWELS["y"]), hold(voice.VOWELS["y"], replace(PLAIN, tilt=6.0))
    for frequency, octaves in ((1000, 1), (2000, 2), (4000, 3)):
        band = (frequency / 1.05, frequency * 1.05)
        lost = level(flat, *band) - level(steep, *band)
        assert lost == pytest.approx(6 * octaves, abs=1.5)
    assert level(flat, 50, 450) == pytest.approx(level(steep, 50, 450), abs=0.1)


def test_hissing_consonants_are_noise_around_their_centre():
    for name, low, high in (("s", 4000, 8000), ("c", 2200, 4600)):
        wave = hold(voice.CONSONANTS[name][0])
        assert level(wave, low, high) > level(wave, 0, low) + 6
        assert (pitch_track(wave, voice.SAMPLE_RATE) > 0).mean() < 0.1


def test_silence_is_silent():
    assert np.abs(hold(voice.SILENCE)).max() == 0


@pytest.mark.parametrize("width", [0.3, 0.6])
def test_noise_is_as_wide_as_asked(width):
    """A bell on octaves: at one width from its centre it is 1/e of the power, 4.3 dB, down."""
    wave = hold(voice.Sound(1.0, (500, 1500, 2500), frication=0.5, centre=2000, width=width))
    for side in (2000 * 2**width, 2000 / 2**width):
        top, flank = (level(wave, f / 1.03, f * 1.03) - 10 * np.log10(f) for f in (2000, side))
        assert top - flank == pytest.approx(10 * np.log10(np.e), abs=1)


def test_sounds_take_their_time():
    """A vowel, a pause and a vowel: power where sound is asked for."""
    sounds = [voice.VOWELS["a"], voice.SILENCE, voice.VOWELS["a"]]
    pitch = np.full(125, 120.0)
    wave = voice.speak(sounds, np.array([0.4, 0.2, 0.4]), pitch, PLAIN, random())
    assert len(wave) == 125 * voice.HOP
    inside = np.abs(wave[round(0.45 * 16000) : round(0.55 * 16000)]).max()
    assert inside < 0.01 * np.abs(wave[:5000]).max()


def test_same_generator_same_wave():
    breathy = replace(PLAIN, breath=0.1, jitter=0.01)
    np.testing.assert_array_equal(
        hold(voice.VOWELS["a"], breathy), hold(voice.VOWELS["a"], breathy)
    )
