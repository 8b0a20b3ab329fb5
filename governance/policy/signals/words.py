"""The words of which the phrases of signals are made.

Lives here: classes of words, in English and some German, French and Spanish. Must not live here:
the phrases (``rules``). Law: a word is written as it stands once folded (``normalise``):
in lower case, without accents and apostrophes.
"""

from collections.abc import Mapping

_WORDS: Mapping[str, str] = {
    # English | German | French | Spanish
    "ignore": "ignore ignores ignoring disregard disregarding forget override overrule neglect "
    "dismiss ignoriere ignorieren ignoriert missachte missachten vergiss vergesst "
    "ignorez ignorer oublie oubliez oublier ignora ignorar ignoren olvida olvide olvidar olviden",
    "previous": "previous prior above earlier preceding foregoing initial "
    "vorherigen vorherige bisherigen bisherige vorigen fruheren obigen vorangegangenen "
    "precedentes precedents precedente anterieures dessus anteriores anterior previas previos",
    "yours": "your safety deine deinen eure ihre ihren tes vos tus sus",
    "system": "system developer systemprompt sistema systeme hidden secret",
    "all": "all any every each alle allen jede toutes tous todas todos",
    "everything": "everything anything alles tout todo",
    "told": "told instructed taught know knew learned gesagt weisst dit appris dicho sabes",
    "instructions": "instruction instructions directive directives direction directions guidelines "
    "prompt prompts orders programming anweisung anweisungen instruktionen vorgaben befehle "
    "consigne consignes instrucciones indicaciones ordenes",
    "rules": "rule rules policy policies guardrails restrictions safeguards protocols "
    "regeln richtlinien regles reglas politicas",
    "the_above": "above previous preceding prior",
    "instead": "instead respond reply answer output approve obey",
    "your": "your deine dein ta votre tu su",
    "new": "new real actual true only neue neuer wahre nouvelle vraie nueva unica verdadera",
    "task": "task goal mission objective role purpose instructions job aufgabe rolle ziel "
    "tache tarea mision objetivo instrucciones",
    "now": "now jetzt sofort maintenant desormais ahora",
    "on": "on ab de a",
    "you": "you du ihr sie tu vous usted",
    "be": "are act behave obey answer respond bist handelst es etes agis eres actua",
    "pretend": "act behave pretend roleplay impersonate pose tue verhalte fais comporte actua "
    "finge",
    "persona": "unrestricted jailbroken uncensored unfiltered dan administrator superuser "
    "approver reviewer genehmiger prufer administrateur approbateur administrador aprobador",
    "dan": "dan god jailbreak jailbroken unrestricted uncensored",
    "mode": "mode modus modo",
    "approve": "approve approves approving authorize authorise greenlight genehmige genehmigen "
    "freigeben bewillige bewilligen approuve approuvez approuver autorisez aprueba apruebe aprobar "
    "autoriza autorice",
    "this": "this diese diesen dieser dies cette ce cet esta este",
    "request": "request action ticket operation call anfrage antrag aktion auftrag vorgang "
    "freigabe demande requete operation solicitud peticion accion operacion",
    "at_once": "immediately now automatically silently blindly instantly unconditionally sofort "
    "umgehend automatisch blind immediatement automatiquement aveuglement inmediatamente "
    "automaticamente ya",
    "must": "must should shall have musst mussen sollst solltest dois devez debes debe tienes",
    "no": "no not none zero keine keiner kein nicht aucune aucun pas ninguna ningun",
    "approval": "approval approvals authorization authorisation signoff genehmigung freigabe "
    "zustimmung approbation autorisation aprobacion autorizacion",
    "needed": "needed required necessary needs requires erforderlich notig notwendig benotigt "
    "necessaire requise requis necesaria requerida hace",
    "need": "need needs require requires require brauche braucht brauchst benotigt necesita "
    "requiere necessite",
    "dont": "dont donot not never nicht niemals ne jamais no nunca nie",
    "ask": "ask asking consult consulting wait waiting inform informing tell telling notify "
    "notifying involve involving frage fragen frag warte informiere demandez demande attendez "
    "informez preguntes pregunte preguntar pidas consultes esperes avises informes",
    "human": "human humans anyone anybody someone reviewer reviewers approver approvers operator "
    "operators supervisor administrator admin approval permission confirmation authorization "
    "consent questions menschen jemanden niemanden prufer genehmigung freigabe bestatigung "
    "erlaubnis humain personne approbation confirmation permission autorisation "
    "humano nadie aprobacion confirmacion permiso",
    "without": "without ohne sans sin",
    "inquiry": "asking fragen nachfragen nachzufragen ruckfrage ruckfragen demander preguntar "
    "consultar pedir",
    "german_not": "nicht niemanden keinen keine",
    "german_ask": "frage frag fragt warte wartet",
    "already": "already pre previously bereits schon vorab deja ya",
    "approved": "approved authorized authorised greenlit preapproved genehmigt freigegeben "
    "bewilligt approuve approuvee autorise autorisee aprobado aprobada autorizado autorizada",
    "subject": "this request action they you diese anfrage aktion cette demande esta solicitud",
    "by": "by von durch par por",
    "skip": "bypass bypassing circumvent skip skipping evade avoid umgehe umgehen uberspringe "
    "uberspringen contourne contournez contourner evite evita evitar omite omitir salta saltar",
    "oversight": "approval approvals oversight guardrail guardrails reviewers genehmigung freigabe "
    "prufung approbation aprobacion supervision",
    "treat": "treat mark consider classify label rate behandle markiere betrachte considere marque "
    "trata considera marca",
    "it": "this it me request action diese es cette ceci esta esto",
    "safe": "approved authorized authorised safe trusted benign harmless genehmigt sicher "
    "approuve sure sur aprobado aprobada seguro segura",
    "send": "send sends sending post upload uploads forward transmit leak exfiltrate deliver email "
    "sende senden schicke schicken ubermittle envoie envoyez transmets transmettez "
    "envia envie enviar manda mande",
    "secrets": "secret secrets credential credentials password passwords token tokens keys apikey "
    "apikeys zugangsdaten passwort passworter geheimnisse schlussel identifiants motdepasse mots "
    "contrasena contrasenas credenciales claves secretos",
    "destination": "http https ftp pastebin ngrok requestbin attacker evil hacker webhook telegram",
    "me": "me mir moi",
    "exfiltrate": "exfiltrate exfiltrating exfiltriere exfiltrer exfiltrez exfiltra exfiltrar",
    "data": "data database files file contents secrets credentials customer customers tokens "
    "daten dateien donnees fichiers datos archivos",
    "reveal": "reveal print show repeat leak dump disclose output display recite zeige verrate "
    "affiche affichez revele revelez muestra revela repite",
    "prompt": "prompt prompts instructions anweisungen consignes instrucciones",
    "conceal": "mention tell reveal disclose inform erwahne verrate mentionne mentionnez "
    "menciones reveles digas",
    "witness": "this user users human humans anyone reviewer reviewers approver approvers operator "
    "dies nutzer benutzer niemandem utilisateur usuario nadie",
    "before": "before after instead whenever bevor nachdem avant apres antes despues",
    "using": "using calling running invoking answering responding use call",
    "tool": "tool tools function plugin mcp werkzeug outil herramienta",
    "read": "read fetch open cat load send post pass include",
    "then": "then next afterwards also subsequently dann anschliessend ensuite puis luego despues",
    "call": "call invoke rufe appelle appelez llama invoca",
    "with": "with to mit avec con",
    "pass": "pass include append embed put",
    "content": "content contents output secret secrets key keys conversation history",
    "parameter": "parameter argument field sidenote note header",
}


def skeleton(words: str) -> frozenset[bytes]:
    """Words as ``normalise.words`` cuts them: what looks alike is one letter."""
    return frozenset(word.replace("l", "i").encode() for word in words.split())


CLASSES = {name: skeleton(words) for name, words in _WORDS.items()}
ADDRESSED = skeleton(
    "ai assistant llm chatbot gpt claude gemini reviewer approver approve approved "
    "ki assistent genehmiger assistante approbateur asistente aprobador"
)
"""Words that have no place in what no reader sees."""
