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


# Everything but the table of outcomes itself.
ANALYSIS_TABLES = {
    name: table
    for source in (rules.aggregate, rules.test_hypotheses, rules.simulate_power)
    for name, table in source.output.items()
    if name not in ("table", "seeds", "moves")
}


def input_options(wildcards, input):
    """The command line options that pass every named input there is."""
    return " ".join(
        f"--{name.replace('_', '-')} {files if isinstance(files, str) else ' '.join(files)}"
        for name, files in input.items()
        if files
    )


def audit_table(name):
    """Return an input function for a table of the audit, where {experiment} is a recorded one."""

    def path(wildcards):
        return [] if live_experiment(wildcards) else f"<results>/published/tables/{name}.csv"

    return path


def audit_designs():
    """JSON of AuditDesigns: the designs of all recorded experiments."""
    return json.dumps({"experiments": {name: json.loads(design_of(name)) for name in PUBLISHED}})


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
