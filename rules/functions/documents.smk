"""Input and params functions of documents."""

from goodhart_gap.config.describe import describe_condition


def experiment_facts(wildcards):
    """JSON of ExperimentFacts: all that documents say about an experiment, from the config."""
    experiment = experiment_of(wildcards)
    facts = json.loads(experiment_design(wildcards)) | {
        "experiment": wildcards.experiment,
        "description": experiment.description,
        "source": experiment.source,
        "model": experiment.model,
        "pilot": experiment.pilot,
    }
    if live_experiment(wildcards):
        facts |= experiment.sampling.model_dump(include={"temperature", "top_p", "max_new_tokens"})
        facts["grader"] = experiment.grading.grader
        facts["descriptions"] = {
            name: describe_condition(CONFIG.conditions[name]) for name in experiment.conditions
        }
    else:
        facts |= experiment.model_dump(include={"temperature", "top_p", "max_new_tokens", "record"})
        facts["grader"] = "the author's"
    return json.dumps(facts)


def base_fingerprint(wildcards):
    """The fingerprint of the base checkpoint of a live experiment; a record has none."""
    if live_experiment(wildcards):
        return f"<results>/models/{experiment_of(wildcards).model}/base/fingerprint.json"
    return []


def pilot_rates(wildcards):
    """The rates of the experiment's pilot, where it has one."""
    pilot = experiment_of(wildcards).pilot
    return f"<results>/{pilot}/tables/rates.csv" if pilot else []


def optional_inputs(wildcards, input):
    """The command line options that pass the inputs not every experiment has."""
    named = {
        "--fingerprint": input.fingerprint,
        "--pilot": input.pilot,
        "--graders": input.graders,
    }
    return " ".join(f"{option} {path}" for option, path in named.items() if path)


def audit_of_record(wildcards):
    """The audit, where {experiment} is a recorded one."""
    return [] if live_experiment(wildcards) else "<results>/published/tables/audit.csv"


def headline_of_record(wildcards):
    """The headline with and without grader artefacts, where {experiment} is a recorded one."""
    return [] if live_experiment(wildcards) else "<results>/published/tables/headline.csv"


def optional_paper_inputs(wildcards, input):
    """The command line options that pass the inputs not every manuscript has."""
    named = {"--audit": input.audit, "--headline": input.headline}
    audit = " ".join(f"{option} {path}" for option, path in named.items() if path)
    return f"{optional_inputs(wildcards, input)} {audit}".strip()


def audit_designs():
    """JSON of AuditDesigns: the designs of all recorded experiments."""
    fields = {"baseline", "conditions", "runs", "seeds"}
    return json.dumps(
        {
            "experiments": {
                name: CONFIG.experiments[name].model_dump(mode="json", include=fields)
                for name in PUBLISHED
            }
        }
    )


def audit_statistics():
    """JSON of AuditStatistics: the statistics settings of all recorded experiments."""
    return json.dumps(
        {
            "experiments": {
                name: CONFIG.experiments[name].statistics.model_dump(mode="json")
                for name in PUBLISHED
            }
        }
    )


STATED = "config/records/stated.csv"
