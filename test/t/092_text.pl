# Accuracy on texts as they come: the intents of banking77 (77 classes, CC BY 4.0)
# and SMS spam (UCI, CC BY 4.0), each with dmp.train on the raw column.
#
# The data are no part of the project. DMP_DATA names the folder that holds
# banking77/{train,test}.csv and sms_spam/SMSSpamCollection; what is not there
# is skipped.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{DMP_DATA} // '../shared/data';
my $bank = "$data/banking77";
my $sms = "$data/sms_spam/SMSSpamCollection";
plan skip_all => "no texts in $data" unless -r "$bank/train.csv" || -r $sms;

my $node = PostgreSQL::Test::Cluster->new('text');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION dmp');

# what a statement answers, and the seconds the server's process spent on it
sub timed
{
	my ($sql) = @_;
	my $at = -s $node->logfile;
	my $answer = $node->safe_psql('postgres', "SET log_executor_stats = on; $sql");
	my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile, $at);
	my ($user, $system) = $log =~ /.*!\s+([\d.]+) s user, ([\d.]+) s system, [\d.]+ s elapsed/s;
	return ($answer, $user + $system);
}

SKIP:
{
	skip 'no banking77', 5 unless -r "$bank/train.csv";
	for my $part (qw(train test))
	{
		$node->safe_psql('postgres', "CREATE TABLE intent_$part (body text, category text)");
		$node->safe_psql('postgres', "\\copy intent_$part FROM '$bank/$part.csv' (FORMAT csv, HEADER)");
	}
	is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT category) FROM intent_train'), '10003|77', 'banking77 is the one');
	my ($status, $seconds) = timed("SELECT status FROM dmp.train('intents', 'intent_train', 'category')");
	is($status, 'converged', 'banking77 converges');
	note("banking77: $seconds s");
	cmp_ok($seconds, '<', 20, 'trained in less than 20 seconds of one core');
	my $accuracy = $node->safe_psql('postgres', "SELECT avg((dmp.classify('intents', t) = category)::int) FROM intent_test t");
	note("banking77: accuracy $accuracy");
	cmp_ok($accuracy, '>=', 0.905, 'banking77: accuracy 0.905 or better');
	my ($count, $scored) = timed("SELECT count(dmp.classify('intents', t)) FROM intent_train t");
	note('banking77: ' . int($count / $scored) . ' texts a second');
	cmp_ok($count / $scored, '>=', 10000, 'classifies 10,000 texts a second');
}

SKIP:
{
	skip 'no SMS spam', 2 unless -r $sms;
	$node->safe_psql('postgres', 'CREATE TABLE message (id int GENERATED ALWAYS AS IDENTITY, label text, body text)');
	# quotes are ordinary here: neither text nor csv format reads it as it is
	open my $in, '<', $sms or die "$sms: $!";
	my $copy = $node->basedir . '/messages';
	open my $out, '>', $copy or die "$copy: $!";
	while (my $line = <$in>)
	{
		$line =~ s/\r?\n$//;
		$line =~ s/\\/\\\\/g;
		my ($label, $body) = split /\t/, $line, 2;
		$body =~ s/\t/\\t/g;
		print $out "$label\t$body\n";
	}
	close $out;
	close $in;
	$node->safe_psql('postgres', "\\copy message (label, body) FROM '$copy'");
	is($node->safe_psql('postgres', "SELECT count(*), count(*) FILTER (WHERE label = 'spam') FROM message"), '5574|747', 'SMS spam is the one');
	my $sum = 0;
	for my $fold (0 .. 4)
	{
		$node->safe_psql('postgres', "SELECT FROM dmp.train('spam', 'SELECT label, body FROM message WHERE id % 5 <> $fold', 'label')");
		$sum += $node->safe_psql('postgres', "SELECT avg((dmp.classify('spam', m) = label)::int) FROM message m WHERE id % 5 = $fold");
	}
	note('SMS spam: accuracy ' . $sum / 5);
	cmp_ok($sum / 5, '>=', 0.98, 'SMS spam: mean of five folds 0.98 or better');
}

$node->stop;
done_testing();
