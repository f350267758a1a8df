// Checks a Jenkinsfile without Jenkins: its syntax, by the parser of the Groovy that runs this (Jenkins embeds Groovy 2.4, Debian 12 has
// the same), and its structure, by the grammar of declarative pipelines as far as this project uses it. What plugins offer (steps and
// their parameters) is not known here. Every literal shell script is written to a folder, for shellcheck.
//
//   groovy ci/jenkins/check.groovy JENKINSFILE FOLDER
import org.codehaus.groovy.ast.ClassCodeVisitorSupport
import org.codehaus.groovy.ast.expr.*
import org.codehaus.groovy.ast.stmt.ExpressionStatement
import org.codehaus.groovy.control.*

// Block -> blocks and directives that may stand in it. `*` stands for steps, which only plugins know. Source: Jenkins user
// handbook, "Pipeline Syntax"; what is missing there is a finding here, and has to be added when it is first used.
STAGE = ['agent', 'environment', 'options', 'tools', 'input', 'when', 'steps', 'stages', 'parallel', 'matrix', 'failFast', 'post']
GRAMMAR = [
    pipeline: ['agent', 'environment', 'options', 'parameters', 'triggers', 'tools', 'libraries', 'stages', 'post'],
    stages: ['stage'], parallel: ['stage'], stage: STAGE,
    matrix: ['axes', 'excludes', 'agent', 'environment', 'options', 'tools', 'when', 'stages', 'post'],
    axes: ['axis'], axis: ['name', 'values'], excludes: ['exclude'], exclude: ['axis'],
    agent: ['label', 'node', 'docker', 'dockerfile', 'kubernetes'],
    when: ['beforeAgent', 'beforeInput', 'beforeOptions', 'allOf', 'anyOf', 'not', 'branch', 'buildingTag', 'changeRequest', 'changeset', 'environment', 'equals', 'expression', 'tag', 'triggeredBy'],
    post: ['always', 'changed', 'fixed', 'regression', 'aborted', 'failure', 'success', 'unstable', 'unsuccessful', 'cleanup'],
]
AGENTS = ['any', 'none']

findings = []
scripts = []
file = args[0] as File

say = { node, text -> findings << "${file.path}:${node.lineNumber}:${node.columnNumber}: ${text}" }

CompilationUnit unit = new CompilationUnit()
unit.addSource(file)
try {
    // Conversion: text has become a tree and no name has been looked up, which only Jenkins could do.
    unit.compile(Phases.CONVERSION)
} catch (MultipleCompilationErrorsException error) {
    error.errorCollector.errors.each { message ->
        def cause = message.respondsTo('getCause') ? message.cause : null
        println "${file.path}:${cause?.respondsTo('getLine') ? cause.line : 0}: ${cause?.message ?: message}"
    }
    System.exit(1)
}
def module = unit.AST.modules[0]

/** The calls that a block consists of: (name, arguments, inner block or null, node). Anything else is a finding. */
calls = { block ->
    def found = []
    block.statements.each { statement ->
        def expression = statement instanceof ExpressionStatement ? statement.expression : null
        // `agent any`: a call; `agent { }`: a call with a closure; `NAME = value` stands in environment only.
        if (!(expression instanceof MethodCallExpression)) { say(statement, "only directives may stand here"); return }
        def arguments = expression.arguments instanceof TupleExpression ? expression.arguments.expressions : []
        def last = arguments ? arguments.last() : null
        found << [name: expression.methodAsString, arguments: arguments, block: last instanceof ClosureExpression ? last.code : null, node: expression]
    }
    found
}

/** Checks a block against the grammar, and what it contains. */
inside = { String kind, block, String path ->
    def allowed = GRAMMAR[kind]
    def here = calls(block)
    def seen = [:]
    here.each { call ->
        def place = "${path} > ${call.name}"
        if (!(call.name in allowed)) { say(call.node, "`${call.name}` cannot stand in `${kind}`; there may be ${allowed.join(', ')}"); return }
        if (!(call.name in ['stage', 'axis', 'exclude']) && seen[call.name]) say(call.node, "a second `${call.name}` in `${path}`")
        seen[call.name] = true
        if (call.name == 'agent' && call.block == null) {
            def word = call.arguments ? call.arguments[0].text : ''
            if (!(word in AGENTS)) say(call.node, "`agent` is any, none or a block, not `${word}`")
        } else if (call.name == 'stage') {
            if (call.arguments.size() != 2 || call.block == null) { say(call.node, "a stage is `stage('name') { ... }`"); return }
            inside('stage', call.block, "${path} > ${call.arguments[0].text}")
        } else if (kind != 'when' && call.name in GRAMMAR.keySet() && call.block != null) {
            inside(call.name, call.block, place)
        } else if (call.name in ['steps', 'stages', 'matrix', 'post', 'always'] && call.block == null) {
            say(call.node, "`${call.name}` needs a block")
        }
        if (call.name == 'steps' && call.block != null && call.block.statements.empty) say(call.node, "`steps` is empty")
    }
    if (kind == 'pipeline') ['agent', 'stages'].each { if (!seen[it]) say(block, "a pipeline needs `${it}`") }
    if (kind == 'matrix') ['axes', 'stages'].each { if (!seen[it]) say(block, "a matrix needs `${it}`") }
    if (kind == 'axis') ['name', 'values'].each { if (!seen[it]) say(block, "an axis needs `${it}`") }
    if (kind in ['stages', 'parallel'] && here.empty) say(block, "`${kind}` is empty")
    if (kind == 'stage') {
        def contents = ['steps', 'stages', 'parallel', 'matrix'].findAll { seen[it] }
        if (contents.size() != 1) say(block, "a stage has one of steps, stages, parallel and matrix; `${path}` has ${contents ?: 'none'}")
    }
}

def top = module.statementBlock.statements
if (top.size() != 1 || !(top[0] instanceof ExpressionStatement) || !(top[0].expression instanceof MethodCallExpression) || top[0].expression.methodAsString != 'pipeline') {
    findings << "${file.path}:1: a declarative pipeline is one `pipeline { ... }` and nothing else"
} else {
    inside('pipeline', top[0].expression.arguments.expressions.last().code, 'pipeline')
}

// Shell scripts. One with `${}` that Groovy fills in would put its text, not its value, into the shell: secrets would be printed, and
// quotes in values would end the shell's own.
module.statementBlock.visit(new ClassCodeVisitorSupport() {
    protected SourceUnit getSourceUnit() { null }
    void visitMethodCallExpression(MethodCallExpression call) {
        super.visitMethodCallExpression(call)
        if (!(call.methodAsString in ['sh', 'bat', 'powershell'])) return
        def argument = call.arguments.expressions[0]
        if (argument instanceof MapExpression) argument = argument.mapEntryExpressions.find { it.keyExpression.text == 'script' }?.valueExpression
        if (argument instanceof ConstantExpression) scripts << [line: argument.lineNumber, text: argument.value]
        else say(call, "a shell script must be a literal in single quotes, with values in the environment")
    }
})

def folder = args[1] as File
folder.mkdirs()
scripts.each { script ->
    // Jenkins runs `sh` scripts with `sh -xe`, unless they begin with another interpreter.
    def text = script.text.stripIndent().trim()
    new File(folder, "line-${script.line}.sh").text = text.startsWith('#!') ? "${text}\n" : "#!/bin/sh -xe\n${text}\n"
}
findings.each { println it }
println "${file.path}: syntax by Groovy ${GroovySystem.version}, structure, ${scripts.size()} shell scripts taken out, ${findings.size()} findings"
System.exit(findings ? 1 : 0)
