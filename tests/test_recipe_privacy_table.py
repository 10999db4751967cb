"""The paper's table of LR-VAE from end to end on the small corpus."""

from collections.abc import Callable
from pathlib import Path

import pytest
from recipe_modules import load_recipe

from emovec.tables.results import read_result


@pytest.fixture
def main() -> Callable[[list[str]], None]:
    return load_recipe("paper_tables.py").main


@pytest.mark.slow
def test_an_input_is_a_row(main: Callable, small_corpus: Path, tmp_path: Path) -> None:
    main(
        [
            "lrvae",
            "--rows=functionals",
            "--training_seeds=[1,2]",
            f"--output_folder={tmp_path / 'out'}",
            f"--corpora=[{small_corpus}]",
            "--held_out=0.3",
            "--systems=[avae_emotion, lrvae]",
            "--epochs=1",
            "--latent_size=32",
            "--hidden_size=8",
            "--branch_size=8",
            "--draws=5",
            "--curves=False",
            "--device=cpu",
        ]
    )
    text = (tmp_path / "out/table.md").read_text()
    assert "Left out, as --netvlad_model is not given: netvlad." in text
    assert "Measured on small, not on msp_podcast" in text
    result = read_result(tmp_path / "out/functionals/1/result.json")
    assert [len(list((tmp_path / "out/functionals/1/systems/lrvae").iterdir()))] == [2]
    found = result.get("variant_lrvae/identity_free/eer")
    (row,) = [
        line
        for line in text.split("## LR-VAE\n")[1].split("##")[0].splitlines()
        if line.startswith("| functionals |")
    ]
    assert f"| {found.value:.3f}" in row and "not run" not in row
    (other,) = [
        line
        for line in text.split("## LR-VAE\n")[1].split("##")[0].splitlines()
        if line.startswith("| xvector |")
    ]
    assert "not run" in other and "| 0.4948 |" in other
