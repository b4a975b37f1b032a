# Two verbs are all a newcomer needs: `make run` and `make test`.
.PHONY: run test slow check format reference words model

run: ## the example school, on http://127.0.0.1:8480
	@scripts/setup.sh run
	@.venv/bin/vestibule run config.example.yaml

test: ## everything this machine can test; skips say what would end them
	@scripts/setup.sh test
	@.venv/bin/python -m pytest -n 4 --dist loadfile

slow: ## the soak runs
	@scripts/setup.sh test
	@.venv/bin/python -m pytest -m slow

check: ## style and types alone
	@scripts/setup.sh test
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

reference: ## docs/reference/config.md and api.md, made from the models
	@scripts/setup.sh test
	@.venv/bin/python scripts/config_page.py
	@.venv/bin/python scripts/api_page.py

words: ## every text of the pages and sentences, for translating, into hub/web/locale
	@scripts/setup.sh test
	@.venv/bin/python scripts/words.py $(ARGS)

model: ## the person detector anew, from labelled pictures in PICTURES; some two hours on two cores
	@scripts/setup.sh model
	@.venv/bin/python -m training.train "$(PICTURES)" $(ARGS)
	@.venv/bin/python -m training.calibrate training/out/people.pt "$(PICTURES)"
	@.venv/bin/python -m training.export training/out/calibrated.pt

format:
	@scripts/setup.sh test
	@.venv/bin/ruff check --fix . && .venv/bin/ruff format .
