# dmp: an AI data-management platform inside PostgreSQL
EXTENSION  = dmp
MODULE_big = dmp
top        = $(patsubst %/,%,$(dir $(firstword $(MAKEFILE_LIST))))
EXTVERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" $(top)/dmp.control)

# The one list that drives compile order, the install script and the layering
# lint: a module may use only modules to its left.
MODULE_ORDER = base math ingest clean feature learn score govern
# parts of a module's install script, in their order; <module>.sql when nothing is said
SQL_govern   = secret tag context consent audit ledger access subject privacy discover lint lineage

OBJS       = $(patsubst $(top)/%.c,%.o,$(wildcard $(top)/src/*.c) \
             $(foreach m,$(MODULE_ORDER),$(sort $(wildcard $(top)/src/$(m)/*.c))))
DATA_built = dmp--$(EXTVERSION).sql
DATA       = $(patsubst $(top)/%,%,$(wildcard $(top)/src/upgrade/dmp--*.sql))
# -ffp-contract=off: the sums that decide a model are the same on every machine
PG_CPPFLAGS = -I$(top)/src -DDMP_VERSION=\"$(EXTVERSION)\"
PG_CFLAGS  += -ffp-contract=off
# our symbols bind inside the library; exported names are checked by test/lint
SHLIB_LINK += -Wl,-Bsymbolic-functions

# Each module lists its tests on lines of its own; test/lint checks that nothing is unlisted.
REGRESS_base    = base
REGRESS_ingest  = ingest load csv logs explode quarantine infer json_valid weblog url user_agent
REGRESS_ingest += live replay retain infer_columns
REGRESS_clean   = soft try_cast clean clean_steps recipe_steps recipes value rules
REGRESS_clean  += clean_fill clean_hostile clean_by_hand
REGRESS_clean  += recipe_cells recipe_new_rows source_recipe
REGRESS_clean  += statistics isolation
REGRESS_clean  += parse_time value_truth
REGRESS_clean  += cluster suggest
REGRESS_feature = feature training_set feature_report
REGRESS_learn   = registry train fit logit encode bins interactions summary judgement import_model family linear path path_wide groups groups_family update update_wide
REGRESS_score   = metrics predict predict_plan predict_quick score score_row explain leave text curve compare calibrate evaluate shadow combine
# the module's parts, a line each
REGRESS_govern  =
REGRESS_govern += audit audit_types audit_as_of
REGRESS_govern += find_personal_data lint lint_registry lineage
REGRESS_govern += ledger coverage
REGRESS_govern += context protect protect_plan mask read_log
REGRESS_govern += tag consent subject subject_graph retention
REGRESS_govern += secret pseudonym k_anonymity anonymize privacy
REGRESS    = install $(foreach m,$(MODULE_ORDER),$(REGRESS_$(m))) catalog

ISOLATION_ingest = ingest live days
ISOLATION_clean = new_rows
ISOLATION_feature = feature_alter
ISOLATION_learn  = train_score groups update
ISOLATION_score  = calibrate
ISOLATION_govern =
ISOLATION_govern += consent subject
ISOLATION  = $(foreach m,$(MODULE_ORDER),$(ISOLATION_$(m)))
REGRESS_OPTS   = --inputdir=$(top)
ISOLATION_OPTS = --inputdir=$(top)/test/isolation --load-extension=dmp
TAP_TESTS  = 1
PROVE_TESTS ?= $(top)/test/t/*.pl
EXTRA_CLEAN = dmp--*.sql $(wildcard $(foreach m,$(MODULE_ORDER),src/$(m)/*.bc src/$(m)/*.gcda src/$(m)/*.gcno))

$(shell mkdir -p $(sort $(dir $(OBJS))))  # out-of-tree builds need the folders

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(wildcard $(top)/src/*.h $(top)/src/*/*.h)
# the solver's loops are written to be vectorised across independent columns
src/math/%.o: override CFLAGS += -O3

dmp--$(EXTVERSION).sql: $(top)/src/header.sql \
		$(foreach m,$(MODULE_ORDER),$(foreach f,$(or $(SQL_$(m)),$(m)),$(wildcard $(top)/src/$(m)/$(f).sql)))
	cat $^ > $@

.PHONY: unit lint bench dist
unit:
	$(MAKE) -C $(top)/test/unit check
lint:
	$(top)/test/lint/run
bench:
	$(top)/test/bench/run
dist:
	mkdir -p dist && git archive --format zip --prefix=dmp-$(EXTVERSION)/ -o dist/dmp-$(EXTVERSION).zip HEAD
