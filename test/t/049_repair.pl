# Repair and clustering measured on public benchmarks: exact cells of hospital
# and flights (raha), pairs of affiliation strings.
#
# The data are no part of the project. DMP_DATA names the folder that holds
# them; what is not there is skipped.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{DMP_DATA} // '../shared/data';
plan skip_all => "no $data" unless -d $data;

my $node = PostgreSQL::Test::Cluster->new('repair');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION dmp');

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

# a table of texts from a csv file whose first line names the columns
sub load_csv
{
	my ($table, $file) = @_;
	open my $csv, '<', $file or die "$file: $!";
	my $header = <$csv>;
	close $csv;
	$header =~ s/[\r\n]//g;
	my @columns = map { s/"//gr } split /,/, $header;
	sql("CREATE TABLE $table (" . join(', ', map { lc($_) . ' text' } @columns) . ')');
	$node->command_ok([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "\\copy $table FROM '$file' (FORMAT csv, HEADER)" ], "$table is there");
	return map { lc } @columns;
}

# precision, recall and F1 of the repairs: a cell is right when it is that of the clean table, and missing is ''
sub cells
{
	my ($dirty, $repaired, $clean, @columns) = @_;
	my ($key, @rest) = @columns;
	my $sum = sub {
		my $condition = $_[0];
		return join ' + ', map { 'sum((' . $condition =~ s/#/$_/gr . ')::int)' } @rest;
	};
	my $is = sub { "coalesce($_[0].#::text, '') = coalesce($_[1].#::text, '')" };
	my ($wrong, $made, $good) = split /\|/,
	  sql('SELECT ' . $sum->('NOT ' . $is->('d', 'c')) . ', ' . $sum->('NOT ' . $is->('r', 'd')) . ', '
		  . $sum->('NOT ' . $is->('r', 'd') . ' AND ' . $is->('r', 'c'))
		  . " FROM $dirty d JOIN $repaired r ON d.${key}::text = r.${key}::text JOIN $clean c ON d.${key}::text = c.${key}::text");
	my ($precision, $recall) = ($good / ($made || 1), $good / ($wrong || 1));
	my $f1 = 2 * $good / ($made + $wrong);
	note sprintf '%s: precision %.3f, recall %.3f, F1 %.3f', $repaired, $precision, $recall, $f1;
	return $f1;
}

sub clean
{
	my ($from, $into, $recipe) = @_;
	sql("SELECT count(*) FROM dmp.clean('$from', '$into', " . (defined $recipe ? "'$recipe'" : suggested($from)) . ')');
}

sub suggested
{
	return "(SELECT coalesce(json_agg(step), '[]') FROM dmp.suggest_recipe('$_[0]') WHERE confidence > 0.9)";
}

SKIP:
{
	my $folder = "$data/raha_hospital";
	skip "no $folder", 1 unless -r "$folder/dirty.csv" && -r "$folder/clean.csv";
	my @columns = load_csv('hospital', "$folder/dirty.csv");
	load_csv('hospital_clean', "$folder/clean.csv");
	my $rules = '[{"from": "hospitalname", "to": ["zipcode", "phonenumber"]}, {"from": "measurecode", "to": ["measurename", "stateaverage"]},
		{"from": "measurename", "to": "measurecode"}, {"from": "providernumber", "to": "hospitalname"}, {"from": "measurecode", "to": "condition"},
		{"from": "hospitalname", "to": ["address1", "hospitalowner", "providernumber"]}, {"from": "city", "to": "countyname"},
		{"from": "zipcode", "to": "emergencyservice"}, {"from": "hospitalname", "to": "city"}]';
	clean('hospital', 'hospital_rules', qq([{"functional_dependency": $rules}]));
	cmp_ok(cells('hospital', 'hospital_rules', 'hospital_clean', @columns), '>=', 0.84, 'hospital: the given dependencies');
	clean('hospital', 'hospital_slips', '[{"repair": "*"}]');
	cmp_ok(cells('hospital', 'hospital_slips', 'hospital_clean', @columns), '>=', 0.94, 'hospital: slips');
	clean('hospital', 'hospital_both', qq([{"repair": "*"}, {"functional_dependency": $rules}]));
	cmp_ok(cells('hospital', 'hospital_both', 'hospital_clean', @columns), '>=', 0.95, 'hospital: slips, then dependencies');
	clean('hospital', 'hospital_late', qq([{"functional_dependency": $rules}, {"repair": "*"}]));
	cmp_ok(cells('hospital', 'hospital_late', 'hospital_clean', @columns), '>=', 0.95, 'hospital: dependencies, then slips');
	clean('hospital', 'hospital_suggested');
	cmp_ok(cells('hospital', 'hospital_suggested', 'hospital_clean', @columns), '>=', 0.95, 'hospital: the suggested recipe alone');
	clean('hospital_clean', 'hospital_same');
	is(sql('SELECT count(*) FROM (TABLE hospital_clean EXCEPT SELECT ' . join(', ', map { "$_\::text" } @columns) . ' FROM hospital_same) d'),
		0, 'hospital: what is clean stays');
}

SKIP:
{
	my $folder = "$data/raha_flights";
	skip "no $folder", 1 unless -r "$folder/dirty.csv" && -r "$folder/clean.csv";
	my @columns = load_csv('flights', "$folder/dirty.csv");
	load_csv('flights_clean', "$folder/clean.csv");
	my $rule = '{"flight": ["sched_dep_time", "act_dep_time", "sched_arr_time", "act_arr_time"]}';
	clean('flights', 'flights_majority', qq([{"functional_dependency": $rule}]));
	cmp_ok(cells('flights', 'flights_majority', 'flights_clean', @columns), '>=', 0.66, 'flights: the majority');
	clean('flights', 'flights_weighted', qq([{"functional_dependency": $rule, "weight_by": "src"}]));
	cmp_ok(cells('flights', 'flights_weighted', 'flights_clean', @columns), '>=', 0.85, 'flights: the reliable sources');
	clean('flights_clean', 'flights_same');
	is(sql('SELECT count(*) FROM (TABLE flights_clean EXCEPT SELECT ' . join(', ', map { "$_\::text" } @columns) . ' FROM flights_same) d'),
		0, 'flights: what is clean stays');
}

SKIP:
{
	my $folder = "$data/affiliationstrings";
	skip "no $folder", 1 unless -r "$folder/affiliationstrings.csv" && -r "$folder/affiliationstrings_mapping_fixed.csv";
	load_csv('affiliation', "$folder/affiliationstrings.csv");
	sql('CREATE TABLE truth (a text, b text)');
	$node->command_ok([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "\\copy truth FROM '$folder/affiliationstrings_mapping_fixed.csv' (FORMAT csv)" ],
		'the pairs are there');
	my %f1;
	for my $method (qw(fingerprint ngram_fingerprint metaphone cologne levenshtein jaro_winkler words))
	{
		my ($made, $wanted, $good) = split /\|/, sql(<<"END");
WITH c AS (SELECT variant, cluster FROM dmp.cluster_values('affiliation', 'affil1', '$method')),
	l AS (SELECT id1, coalesce(cluster::text, affil1) AS label FROM affiliation LEFT JOIN c ON variant = affil1),
	found AS (SELECT least(x.id1, y.id1) AS a, greatest(x.id1, y.id1) AS b FROM l x JOIN l y USING (label) WHERE x.id1 < y.id1),
	pairs AS (SELECT DISTINCT least(a, b) AS a, greatest(a, b) AS b FROM truth WHERE a <> b)
SELECT (SELECT count(*) FROM found), (SELECT count(*) FROM pairs), (SELECT count(*) FROM found JOIN pairs USING (a, b))
END
		$f1{$method} = 2 * $good / ($made + $wanted);
		note sprintf 'affiliations by %s: precision %.3f, recall %.3f, F1 %.3f', $method, $good / ($made || 1), $good / $wanted, $f1{$method};
	}
	cmp_ok($f1{words}, '>=', 0.68, 'affiliations: common rare words');
	cmp_ok($f1{words}, '>', 10 * $f1{fingerprint}, 'affiliations: far above the fingerprint');
}

done_testing();
