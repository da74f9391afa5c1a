# PMML by somebody else: dmp.model_pmml is valid against the schema of 4.4 and
# scored by JPMML with equal results, missing and unseen values included. Needs
# the Python package jpmml_evaluator and Java; PYTHON names another python3.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $python = $ENV{PYTHON} || 'python3';
plan skip_all => 'no Python package jpmml_evaluator, or no Java'
  if system(qq{$python -c "import jpmml_evaluator, jpype; jpype.getDefaultJVMPath()" >/dev/null 2>&1}) != 0;

my $node = PostgreSQL::Test::Cluster->new('pmml');
$node->init(extra => [ '-E', 'UTF8', '--locale=C.UTF-8' ]);
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION dmp;
	CREATE TABLE rows AS SELECT i AS id, CASE WHEN i % 11 <> 0 THEN i * 37 % 50 / 10::float8 END AS visits, 1020 + i * 13 % 40 AS age, (i * 7 % 60)::float8 AS tiny,
		CASE WHEN i % 9 > 0 THEN (ARRAY['Oslo', 'Paris', 'Rome', U&'Z\00FC <"&''> b ', E'a\tb', ' '])[1 + i * 7 % 6] END AS city, CASE WHEN i % 7 > 0 THEN i * 11 % 4 = 0 END AS mobile,
		(ARRAY['r1', 'r2', 'r3', 'common', 'usual', 'usual'])[CASE WHEN i % 40 < 3 THEN 1 + i % 3 ELSE 4 + i % 3 END] AS kind, (ARRAY['b', 'c', 'a'])[1 + (i * 31337 % 1009 + i * 37 % 50 * 10) % 3] AS plan,
		i * 31337 % 1009 / 1009::float8 < 1 / (1 + exp(-(0.5 * (i * 37 % 50) / 10 - 1.2 + (i * 7 % 3 = 2)::int))) AS bought
	FROM generate_series(1, 400) i;
	SELECT dmp.train('two', 'rows', 'bought', lambda => 0.001, exclude => '{id,plan}');
	SELECT dmp.train('plain', 'rows', 'bought', lambda => 0, exclude => '{id,plan}');
	SELECT dmp.train('three', 'rows', 'plan', lambda => 0.001, exclude => '{id,bought}');
	SELECT dmp.train('platt', 'rows', 'bought', lambda => 0.01, exclude => '{id,plan}');
	SELECT dmp.calibrate('platt', 'rows');
	SELECT dmp.set_threshold('platt', 0.4);
	SELECT dmp.train('coded', 'rows', 'bought', key => '{id}', lambda => 0.001, exclude => '{plan}', options => '{"encode": {"visits": {"encode": "woe", "bins": 4}, "age": {"encode": "bins", "bins": 3},
		"tiny": "log", "city": "woe", "kind": {"encode": "target"}}, "impute": {"age": "median", "tiny": "mean"}, "interactions": ["tiny:age"]}');
	CREATE VIEW asked AS SELECT id, visits, age + 1000 * (id % 3) AS age, CASE WHEN id % 17 <> 0 THEN tiny END AS tiny, CASE WHEN id % 13 = 0 THEN 'unseen' ELSE city END AS city,
		mobile, CASE WHEN id % 19 = 0 THEN NULL WHEN id % 23 = 0 THEN 'new' ELSE kind END AS kind FROM rows;
});

my $folder = $node->basedir;
open my $script, '>', "$folder/evaluate.py" or die $!;
print $script <<'PYTHON';
import glob, json, os, sys, zipfile
import jpype, jpmml_evaluator
folder, name = sys.argv[1], sys.argv[2]
document = f"{folder}/{name}.pmml"
worst, classes, n = 0, 0, 0
evaluator = jpmml_evaluator.make_evaluator(document).verify()
for line in open(f"{folder}/{name}.rows", encoding="utf-8"):
    row = json.loads(line)
    result = evaluator.evaluate(row["row"])
    for c, p in row["p"].items():
        worst = max(worst, abs(result[f"probability({c})"] - p))
    classes += (result["class"] if "class" in result else list(result.values())[0]) != row["class"]
    n += 1
print(n, "rows", "equal" if worst <= 1e-12 else f"differ by {worst}", classes, "classes differ")
jar = glob.glob(os.path.join(os.path.dirname(jpmml_evaluator.__file__), "dependencies", "pmml-model-[0-9]*.jar"))[0]
with open(f"{folder}/pmml.xsd", "wb") as schema:
    schema.write(zipfile.ZipFile(jar).read("pmml.xsd"))
if not jpype.isJVMStarted():
    jpype.startJVM()
file = jpype.JClass("java.io.File")
source = jpype.JClass("javax.xml.transform.stream.StreamSource")
factory = jpype.JClass("javax.xml.validation.SchemaFactory").newInstance("http://www.w3.org/2001/XMLSchema")
try:
    factory.newSchema(file(f"{folder}/pmml.xsd")).newValidator().validate(source(file(document)))
    print("valid")
except Exception as error:
    print(error)
PYTHON
close $script;

foreach my $model ('two', 'plain', 'three', 'platt', 'coded')
{
	open my $file, '>', "$folder/$model.pmml" or die $!;
	print $file $node->safe_psql('postgres', "SELECT dmp.model_pmml('$model')");
	close $file;
	open $file, '>', "$folder/$model.rows" or die $!;
	print $file $node->safe_psql('postgres', "SELECT json_build_object('row', to_jsonb(r) - 'id', 'p', dmp.class_probabilities('$model', r), 'class', dmp.classify('$model', r))
		FROM asked r ORDER BY id"), "\n";
	close $file;
	my ($out, $err) = run_command([ $python, "$folder/evaluate.py", $folder, $model ]);
	is($out, "400 rows equal 0 classes differ\nvalid", "$model") or diag($err);
}
$node->stop;
done_testing();
