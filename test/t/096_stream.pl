# A stream of daily batches through dmp.update_model ends where dmp.train on all
# rows does: within 0.002 AUC and 1e-3 log loss, texts hashed or as n-grams.
# Measured on rows that neither has seen: those of later days.
#
# The data are no part of the project. DMP_DATA names the folder that holds
# bank_marketing, online_shoppers and sms_spam (UCI, CC BY 4.0); what is not
# there is skipped.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{DMP_DATA} // '../shared/data';
my $bank = "$data/bank_marketing/bank-additional-full.csv";
my $shop = "$data/online_shoppers/online_shoppers_intention.csv";
my $sms = "$data/sms_spam/SMSSpamCollection";
plan skip_all => "no tables in $data" unless -r $bank || -r $shop || -r $sms;

my $node = PostgreSQL::Test::Cluster->new('stream');
$node->init;
$node->append_conf('postgresql.conf', 'client_min_messages = error');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION dmp');
# days by a hash of the row's number: every day has some 20 rows of each class or more
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION stream(model text, columns text, target text, days int, held int, options jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
		rows text := format('SELECT %s, %I FROM (SELECT *, (hashint8(id) & 1048575) %% %s AS day FROM %I) s WHERE day ', columns, target, days + held, model);
BEGIN
	PERFORM FROM dmp.train(model, rows || '= 0', target, options => options);
	FOR d IN 1..days - 1 LOOP
		PERFORM FROM dmp.update_model(model, rows || '= ' || d);
	END LOOP;
	PERFORM FROM dmp.train(model || '_full', rows || '< ' || days, target, options => options);
	EXECUTE format('SELECT round((dmp.roc_auc(dmp.margin(%1$L, t), good) - dmp.roc_auc(dmp.margin(%2$L, t), good))::numeric, 5) || '' '' ||
		round((dmp.log_loss(dmp.predict(%1$L, t), good) - dmp.log_loss(dmp.predict(%2$L, t), good))::numeric, 5)
		FROM (SELECT *, lower(%3$I) IN (''yes'', ''true'', ''spam'') AS good FROM (%4$s >= %5$s) r) t', model, model || '_full', target, rows, days) INTO answer;
	RETURN answer;
END $$
SQL

sub stream
{
	my ($name, $columns, $hashed, $target, $days, $held) = @_;
	my $encode = join ', ', map { "\"$_\": {\"encode\": \"" . ($_ eq 'body' ? 'ngrams' : 'hash') . '"}' } @$hashed;
	my $answer = $node->safe_psql('postgres',
		"SELECT stream('$name', '" . join(', ', map { "\"$_\"" } @$columns) . "', '$target', $days, $held, '{\"judge\": false, \"encode\": {$encode}}')");
	my ($auc, $loss) = split / /, $answer;
	note("$name: AUC $auc, log loss $loss against the fit of all rows");
	cmp_ok($auc, '>', -0.002, "$name: AUC within 0.002 of the fit of all rows");
	cmp_ok($loss, '<', 0.001, "$name: log loss within 0.001, or better");
	is($node->safe_psql('postgres', "SELECT count(*) FROM dmp.models WHERE model = '$name' AND status = 'converged'"),
		$days, "$name: every day is a version");
	return;
}

sub load
{
	my ($name, $file, $delimiter, $numbers) = @_;
	open my $in, '<', $file or die "$file: $!";
	my $head = <$in>;
	close $in;
	$head =~ s/["\r\n]//g;
	my @columns = split /\Q$delimiter\E/, $head;
	my %number = map { $_ => 1 } @$numbers;
	$node->safe_psql('postgres',
			"CREATE TABLE $name (id bigint GENERATED ALWAYS AS IDENTITY, "
		  . join(', ', map { "\"$_\" " . ($number{$_} ? 'float8' : 'text') } @columns)
		  . ')');
	$node->safe_psql('postgres',
		"\\copy $name (" . join(', ', map { "\"$_\"" } @columns) . ") FROM '$file' (FORMAT csv, HEADER, DELIMITER '$delimiter')");
	return @columns;
}

SKIP:
{
	skip 'no bank_marketing', 3 unless -r $bank;
	my @numbers = qw(age campaign pdays previous emp.var.rate cons.price.idx cons.conf.idx euribor3m nr.employed);
	my @columns = grep { !/^(y|duration)$/ } load('bank', $bank, ';', \@numbers);
	my %number = map { $_ => 1 } @numbers;
	stream('bank', \@columns, [ grep { !$number{$_} } @columns ], 'y', 100, 25);
}

SKIP:
{
	skip 'no online_shoppers', 3 unless -r $shop;
	my @hashed = qw(Month OperatingSystems Browser Region TrafficType VisitorType Weekend);
	my %hashed = map { $_ => 1 } @hashed;
	my @numbers = qw(Administrative Administrative_Duration Informational Informational_Duration ProductRelated
	  ProductRelated_Duration BounceRates ExitRates PageValues SpecialDay);
	my @columns = grep { $_ ne 'Revenue' } load('shop', $shop, ',', \@numbers);
	stream('shop', \@columns, \@hashed, 'Revenue', 60, 15);
}

SKIP:
{
	skip 'no SMS spam', 3 unless -r $sms;
	# quotes are ordinary here: a quote that no text has
	$node->safe_psql('postgres', 'CREATE TABLE sms (id bigint GENERATED ALWAYS AS IDENTITY, label text, body text)');
	$node->safe_psql('postgres', "\\copy sms (label, body) FROM '$sms' (FORMAT csv, DELIMITER E'\\t', QUOTE E'\\x01')");
	stream('sms', ['body'], ['body'], 'label', 25, 6);
}

$node->stop;
done_testing();
