/*-------------------------------------------------------------------------
 * discover_word.c
 *		What the name of a column says, and words that are names of people.
 *
 * A name is split at everything that is no letter, where lower case turns to
 * upper, and between letters and digits. A term is found where it is one word
 * or several in a row written together: "e_mail" and "customerEmail" have
 * "email", "acid_level" does not have "cid". Chinese has no blanks: terms in
 * Chinese are found anywhere in a name.
 *-------------------------------------------------------------------------
 */
#include "govern/discover.h"

#include "mb/pg_wchar.h"

#define MOST_WORDS 16
#define LONGEST_WORD 63

typedef struct Words
{
	char word[MOST_WORDS][LONGEST_WORD + 1];
	int n;
} Words;

typedef struct Term
{
	const char *term;
	DmpPersonalSet kinds;
} Term;

#define PHONES                                                            \
	(PERSONAL(PERSONAL_PHONE_WRITTEN) | PERSONAL(PERSONAL_PHONE_MOBILE) | \
	 PERSONAL(PERSONAL_PHONE_ANY))
#define IDS                                                                           \
	(PERSONAL(PERSONAL_ID_CN) | PERSONAL(PERSONAL_ID_US) | PERSONAL(PERSONAL_ID_GB) | \
	 PERSONAL(PERSONAL_ID_ES) | PERSONAL(PERSONAL_ID_BR))
#define SOCIAL_SECURITY (PERSONAL(PERSONAL_ID_US) | PERSONAL(PERSONAL_ID_US_DIGITS))
#define ADDRESSES (PERSONAL(PERSONAL_ADDRESS) | PERSONAL(PERSONAL_ADDRESS_HAN))
#define NAMES (PERSONAL(PERSONAL_NAME) | PERSONAL(PERSONAL_NAME_HAN))
#define ADDRESSES_OF_NETS (PERSONAL(PERSONAL_IPV4) | PERSONAL(PERSONAL_IPV6))

static const Term terms[] = {
	{"email", PERSONAL(PERSONAL_EMAIL)},
	{"emails", PERSONAL(PERSONAL_EMAIL)},
	{"mail", PERSONAL(PERSONAL_EMAIL)},
	{"mailbox", PERSONAL(PERSONAL_EMAIL)},
	{"correo", PERSONAL(PERSONAL_EMAIL)},
	{"phone", PHONES},
	{"phones", PHONES},
	{"telephone", PHONES},
	{"telefon", PHONES},
	{"telefono", PHONES},
	{"tel", PHONES},
	{"mobile", PHONES},
	{"cell", PHONES},
	{"cellphone", PHONES},
	{"msisdn", PHONES},
	{"whatsapp", PHONES},
	{"handy", PHONES},
	{"fax", PHONES},
	{"shouji", PHONES},
	{"dianhua", PHONES},
	{"card", PERSONAL(PERSONAL_CARD)},
	{"creditcard", PERSONAL(PERSONAL_CARD)},
	{"debitcard", PERSONAL(PERSONAL_CARD)},
	{"cc", PERSONAL(PERSONAL_CARD)},
	{"ccnumber", PERSONAL(PERSONAL_CARD)},
	{"cardno", PERSONAL(PERSONAL_CARD)},
	{"cardnumber", PERSONAL(PERSONAL_CARD)},
	{"bankcard", PERSONAL(PERSONAL_CARD)},
	{"iban", PERSONAL(PERSONAL_IBAN)},
	{"bankaccount", PERSONAL(PERSONAL_IBAN)},
	{"ssn", SOCIAL_SECURITY},
	{"socialsecurity", SOCIAL_SECURITY},
	{"taxid", SOCIAL_SECURITY | IDS},
	{"tin", SOCIAL_SECURITY},
	{"nationalid", IDS | SOCIAL_SECURITY},
	{"idcard", IDS},
	{"idnumber", IDS},
	{"idno", IDS},
	{"identitycard", IDS},
	{"residentid", IDS},
	{"citizenid", IDS},
	{"sfz", PERSONAL(PERSONAL_ID_CN)},
	{"sfzh", PERSONAL(PERSONAL_ID_CN)},
	{"shenfenzheng", PERSONAL(PERSONAL_ID_CN)},
	{"nino", PERSONAL(PERSONAL_ID_GB)},
	{"nationalinsurance", PERSONAL(PERSONAL_ID_GB)},
	{"dni", PERSONAL(PERSONAL_ID_ES)},
	{"nie", PERSONAL(PERSONAL_ID_ES)},
	{"nif", PERSONAL(PERSONAL_ID_ES)},
	{"cpf", PERSONAL(PERSONAL_ID_BR)},
	{"passport", PERSONAL(PERSONAL_PASSPORT)},
	{"passportno", PERSONAL(PERSONAL_PASSPORT)},
	{"huzhao", PERSONAL(PERSONAL_PASSPORT)},
	{"ip", ADDRESSES_OF_NETS},
	{"ipaddr", ADDRESSES_OF_NETS},
	{"ipaddress", ADDRESSES_OF_NETS},
	{"remotehost", ADDRESSES_OF_NETS},
	{"remoteaddr", ADDRESSES_OF_NETS},
	{"clientaddr", ADDRESSES_OF_NETS},
	{"mac", PERSONAL(PERSONAL_MAC)},
	{"macaddr", PERSONAL(PERSONAL_MAC)},
	{"macaddress", PERSONAL(PERSONAL_MAC)},
	{"imei", PERSONAL(PERSONAL_DEVICE)},
	{"birth", PERSONAL(PERSONAL_BIRTH)},
	{"birthdate", PERSONAL(PERSONAL_BIRTH)},
	{"birthday", PERSONAL(PERSONAL_BIRTH)},
	{"dob", PERSONAL(PERSONAL_BIRTH)},
	{"born", PERSONAL(PERSONAL_BIRTH)},
	{"geburtsdatum", PERSONAL(PERSONAL_BIRTH)},
	{"geburtstag", PERSONAL(PERSONAL_BIRTH)},
	{"nacimiento", PERSONAL(PERSONAL_BIRTH)},
	{"naissance", PERSONAL(PERSONAL_BIRTH)},
	{"shengri", PERSONAL(PERSONAL_BIRTH)},
	{"firstname", NAMES},
	{"lastname", NAMES},
	{"fullname", NAMES},
	{"middlename", NAMES},
	{"givenname", NAMES},
	{"familyname", NAMES},
	{"realname", NAMES},
	{"legalname", NAMES},
	{"maidenname", NAMES},
	{"surname", NAMES},
	{"forename", NAMES},
	{"fname", NAMES},
	{"lname", NAMES},
	{"vorname", NAMES},
	{"nachname", NAMES},
	{"apellido", NAMES},
	{"apellidos", NAMES},
	{"prenom", NAMES},
	{"xingming", NAMES},
	{"cardholder", NAMES},
	{"address", ADDRESSES},
	{"addr", ADDRESSES},
	{"street", ADDRESSES},
	{"strasse", ADDRESSES},
	{"dizhi", ADDRESSES},
	{"zip", PERSONAL(PERSONAL_POSTCODE)},
	{"zipcode", PERSONAL(PERSONAL_POSTCODE)},
	{"postcode", PERSONAL(PERSONAL_POSTCODE)},
	{"postalcode", PERSONAL(PERSONAL_POSTCODE)},
	{"plz", PERSONAL(PERSONAL_POSTCODE)},
	{"plate", PERSONAL(PERSONAL_PLATE)},
	{"licenseplate", PERSONAL(PERSONAL_PLATE)},
	{"chepai", PERSONAL(PERSONAL_PLATE)},
	{"lat", PERSONAL(PERSONAL_LOCATION)},
	{"latitude", PERSONAL(PERSONAL_LOCATION)},
	{"lng", PERSONAL(PERSONAL_LOCATION)},
	{"lon", PERSONAL(PERSONAL_LOCATION)},
	{"longitude", PERSONAL(PERSONAL_LOCATION)},
	{"password", PERSONAL(PERSONAL_CREDENTIAL)},
	{"passwd", PERSONAL(PERSONAL_CREDENTIAL)},
	{"passphrase", PERSONAL(PERSONAL_CREDENTIAL)},
	{"pwd", PERSONAL(PERSONAL_CREDENTIAL)},
	{"apikey", PERSONAL(PERSONAL_CREDENTIAL)},
	{"secretkey", PERSONAL(PERSONAL_CREDENTIAL)},
	{"privatekey", PERSONAL(PERSONAL_CREDENTIAL)},
	{"accesstoken", PERSONAL(PERSONAL_CREDENTIAL)},
	{"refreshtoken", PERSONAL(PERSONAL_CREDENTIAL)},
};

static const Term han_terms[] = {
	{"邮箱", PERSONAL(PERSONAL_EMAIL)},
	{"邮件", PERSONAL(PERSONAL_EMAIL)},
	{"手机", PHONES},
	{"电话", PHONES},
	{"联系方式", PHONES},
	{"身份证", PERSONAL(PERSONAL_ID_CN)},
	{"证件号", IDS | PERSONAL(PERSONAL_PASSPORT)},
	{"护照", PERSONAL(PERSONAL_PASSPORT)},
	{"银行卡", PERSONAL(PERSONAL_CARD)},
	{"信用卡", PERSONAL(PERSONAL_CARD)},
	{"卡号", PERSONAL(PERSONAL_CARD)},
	{"姓名", NAMES},
	{"联系人", NAMES},
	{"收件人", NAMES},
	{"生日", PERSONAL(PERSONAL_BIRTH)},
	{"出生", PERSONAL(PERSONAL_BIRTH)},
	{"地址", ADDRESSES},
	{"住址", ADDRESSES},
	{"邮编", PERSONAL(PERSONAL_POSTCODE)},
	{"车牌", PERSONAL(PERSONAL_PLATE)},
	{"纬度", PERSONAL(PERSONAL_LOCATION)},
	{"经度", PERSONAL(PERSONAL_LOCATION)},
	{"密码", PERSONAL(PERSONAL_CREDENTIAL)},
};

/* words of people: before "name", and what tables of people are called */
static const char *const people[] = {
	"customer",  "client",    "patient",   "employee", "contact",     "guest",       "student",
	"teacher",   "doctor",    "author",    "member",   "passenger",   "driver",      "user",
	"owner",     "manager",   "recipient", "sender",   "buyer",       "seller",      "applicant",
	"borrower",  "holder",    "spouse",    "mother",   "father",      "parent",      "child",
	"emergency", "person",    "people",    "player",   "candidate",   "witness",     "agent",
	"nurse",     "physician", "lawyer",    "staff",    "subscriber",  "beneficiary", "consignee",
	"tenant",    "resident",  "citizen",   "visitor",  "participant", "insured",     "payer",
	"payee",     "donor",     "lead",      "voter",    "worker",      "billing",     "shipping"};

/* usual given names of many countries, in lower case and in order */
static const char *const given_names[] = {
	"aaron",     "abigail",   "adam",        "ahmed",     "aisha",     "alan",      "albert",
	"alejandro", "alex",      "alexander",   "alexandra", "alice",     "amanda",    "amelia",
	"amit",      "amy",       "ana",         "andrea",    "andreas",   "andrew",    "angela",
	"anita",     "anna",      "anne",        "anthony",   "antonio",   "arthur",    "ashley",
	"barbara",   "benjamin",  "betty",       "brandon",   "brian",     "bruce",     "camille",
	"carla",     "carlos",    "carol",       "catherine", "charles",   "charlotte", "chloe",
	"christian", "christina", "christopher", "claire",    "clara",     "daniel",    "daniela",
	"david",     "deborah",   "dennis",      "diana",     "diego",     "donald",    "dorothy",
	"edward",    "elena",     "elizabeth",   "ella",      "emily",     "emma",      "eric",
	"ethan",     "eva",       "fatima",      "felix",     "fernando",  "francesco", "francisco",
	"frank",     "gabriel",   "gary",        "george",    "giulia",    "giuseppe",  "grace",
	"gregory",   "hannah",    "hans",        "harry",     "heather",   "helen",     "henry",
	"hiroshi",   "hugo",      "ian",         "ibrahim",   "isabella",  "ivan",      "jack",
	"jacob",     "jacques",   "james",       "jan",       "jane",      "jason",     "javier",
	"jean",      "jennifer",  "jessica",     "joan",      "joao",      "john",      "jonathan",
	"jorge",     "jose",      "joseph",      "joshua",    "juan",      "julia",     "julie",
	"justin",    "karen",     "karl",        "katherine", "keith",     "kevin",     "kimberly",
	"klaus",     "laura",     "lauren",      "lena",      "leo",       "liam",      "linda",
	"lisa",      "louis",     "louise",      "lucas",     "lucia",     "luis",      "luke",
	"manuel",    "marco",     "margaret",    "maria",     "marie",     "mario",     "mark",
	"martin",    "mary",      "matthew",     "mehmet",    "mia",       "michael",   "michelle",
	"miguel",    "mohamed",   "mohammed",    "monica",    "nancy",     "natalie",   "nathan",
	"nicholas",  "nicole",    "nina",        "noah",      "nora",      "oliver",    "olivia",
	"omar",      "oscar",     "pamela",      "patricia",  "patrick",   "paul",      "paula",
	"pedro",     "peter",     "petra",       "philip",    "pierre",    "priya",     "rachel",
	"rahul",     "raj",       "ralph",       "raymond",   "rebecca",   "richard",   "robert",
	"roger",     "ronald",    "rosa",        "ruth",      "ryan",      "samantha",  "samuel",
	"sandra",    "sara",      "sarah",       "scott",     "sean",      "sergio",    "sharon",
	"simon",     "sofia",     "sophia",      "sophie",    "stephanie", "stephen",   "steven",
	"susan",     "susanne",   "teresa",      "theresa",   "thomas",    "timothy",   "tom",
	"tyler",     "victor",    "victoria",    "vincent",   "walter",    "wei",       "wendy",
	"william",   "wolfgang",  "yuki",        "yusuf",     "zoe"};

/* usual Chinese surnames of one character, about nine in ten people */
static const char surnames[] =
	"王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁"
	"魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎"
	"易常武乔贺赖龚文肖严华陶施祝温管向覃柳闫鲁詹";
static const char *const surnames_of_two[] = {"欧阳", "上官", "司马", "诸葛",
											  "东方", "皇甫", "尉迟"};

static void
split(const char *name, Words *words)
{
	int length = 0;
	char before = '\0';

	words->n = 0;
	for (; *name != '\0' && words->n < MOST_WORDS; name++)
	{
		unsigned char c = (unsigned char) *name;
		bool upper = c >= 'A' && c <= 'Z';
		bool lower = c >= 'a' && c <= 'z';
		bool digit = c >= '0' && c <= '9';
		bool was_digit = before >= '0' && before <= '9';
		bool starts;

		/* HTTPServer is http and server: the last capital belongs to what follows it */
		starts = (upper && before >= 'a' && before <= 'z') ||
				 (upper && before >= 'A' && before <= 'Z' && name[1] >= 'a' && name[1] <= 'z') ||
				 (digit != was_digit && before != '\0');
		if (length > 0 && (starts || !(upper || lower || digit)))
		{
			words->word[words->n++][length] = '\0';
			length = 0;
			if (words->n == MOST_WORDS)
				return;
		}
		before = '\0';
		if (upper || lower || digit)
		{
			if (length < LONGEST_WORD)
				words->word[words->n][length++] = upper ? c + 'a' - 'A' : c;
			before = *name;
		}
	}
	if (length > 0 && words->n < MOST_WORDS)
		words->word[words->n++][length] = '\0';
}

/* whether words from..from+count-1, written together, are term */
static bool
is_term(const Words *words, int from, int count, const char *term)
{
	int i;

	for (i = from; i < from + count; i++)
	{
		int length = strlen(words->word[i]);

		if (strncmp(term, words->word[i], length) != 0)
			return false;
		term += length;
	}
	return *term == '\0';
}

static bool
is_person(const char *word)
{
	int n = strlen(word);
	int i;

	for (i = 0; i < lengthof(people); i++)
	{
		int length = strlen(people[i]);

		if (strncmp(word, people[i], length) == 0 &&
			(n == length || (n == length + 1 && word[length] == 's')))
			return true;
	}
	return false;
}

static bool
has_word(const Words *words, const char *word)
{
	int i;

	for (i = 0; i < words->n; i++)
	{
		if (strcmp(words->word[i], word) == 0)
			return true;
	}
	return false;
}

DmpPersonalHint
dmp_personal_hint(const char *column, const char *table)
{
	static const char *const versions[] = {"version", "ver",      "build",
										   "release", "firmware", "revision"};
	static const char *const abouts[] = {
		"status", "type", "kind", "verified", "valid", "count", "model",   "template", "sent",
		"at",     "on",   "flag", "enabled",  "level", "reset", "changed", "length",   "provider"};
	DmpPersonalHint hint = {0};
	Words words;
	Words around;
	int from;
	int count;
	int i;

	split(column, &words);
	split(table != NULL ? table : "", &around);
	for (from = 0; from < words.n; from++)
	{
		for (count = 1; count <= 3 && from + count <= words.n; count++)
		{
			for (i = 0; i < lengthof(terms); i++)
			{
				if (is_term(&words, from, count, terms[i].term))
					hint.kinds |= terms[i].kinds;
			}
		}
	}
	if (GetDatabaseEncoding() == PG_UTF8)
	{
		for (i = 0; i < lengthof(han_terms); i++)
		{
			if (strstr(column, han_terms[i].term) != NULL)
				hint.kinds |= han_terms[i].kinds;
		}
	}
	for (i = 0; i < lengthof(versions); i++)
		hint.version |= has_word(&words, versions[i]);
	for (i = 0; i < lengthof(abouts) && words.n > 0; i++)
		hint.about |= strcmp(words.word[words.n - 1], abouts[i]) == 0;
	/* "e-mail address", "ip address": no place */
	if (hint.kinds & (PERSONAL(PERSONAL_EMAIL) | ADDRESSES_OF_NETS | PERSONAL(PERSONAL_MAC)))
		hint.kinds &= ~ADDRESSES;
	if (words.n > 0 && strcmp(words.word[words.n - 1], "name") == 0)
	{
		bool of_person = words.n > 1 ? is_person(words.word[words.n - 2]) : false;

		for (i = 0; words.n == 1 && i < around.n; i++)
			of_person |= is_person(around.word[i]);
		if (of_person)
			hint.kinds |= NAMES;
		hint.bare_name = words.n == 1;
	}
	return hint;
}

bool
dmp_is_given_name(const char *word, int n)
{
	int low = 0;
	int high = lengthof(given_names) - 1;

	while (low <= high)
	{
		int middle = (low + high) / 2;
		const char *name = given_names[middle];
		int order = strncmp(word, name, n);

		if (order == 0 && name[n] != '\0')
			order = -1;
		if (order == 0)
			return true;
		if (order < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	return false;
}

int
dmp_han_surname(const char *s, int n)
{
	const char *at;
	int i;

	if (GetDatabaseEncoding() != PG_UTF8)
		return 0;
	for (i = 0; i < lengthof(surnames_of_two); i++)
	{
		if (n >= 6 && memcmp(s, surnames_of_two[i], 6) == 0)
			return 6;
	}
	if (n < 3)
		return 0;
	for (at = surnames; *at != '\0'; at += 3)
	{
		if (memcmp(s, at, 3) == 0)
			return 3;
	}
	return 0;
}

bool
dmp_is_han_word(const char *s, int n, int *characters)
{
	const unsigned char *at = (const unsigned char *) s;
	const unsigned char *end = at + n;

	*characters = 0;
	if (GetDatabaseEncoding() != PG_UTF8)
		return false;
	while (at < end)
	{
		pg_wchar c;

		if (*at < 0xE3 || end - at < 3)
			return false;
		c = utf8_to_unicode(at);
		if (!((c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF)))
			return false;
		at += pg_utf_mblen(at);
		(*characters)++;
	}
	return *characters > 0;
}
