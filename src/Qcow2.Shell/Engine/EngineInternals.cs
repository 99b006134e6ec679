using System.Diagnostics.CodeAnalysis;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Reflection;
using Microsoft.PowerShell.Commands.Internal.Format;

namespace Qcow2.Shell.Engine;

/// <summary>
/// What pwsh's own command packages reach in the engine as its friends, and others only by reflection. The engine's version is pinned and
/// tests cover each member, so a new version that moves one fails the build, not a user.
/// </summary>
internal static class EngineInternals
{
    private const BindingFlags Any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
    private const string Format = "Microsoft.PowerShell.Commands.Internal.Format.";

    private static readonly Assembly Engine = typeof(PSObject).Assembly;

    private static readonly FieldInfo Implementation = typeof(FrontEndCommandBase).GetField("implementation", Any)!;

    /// <summary>Makes <paramref name="command"/> the engine's formatter of a shape.</summary>
    /// <param name="command">The command.</param>
    /// <param name="shape">Table, List or Wide.</param>
    internal static void FormatAs(FrontEndCommandBase command, string shape) =>
        Implementation.SetValue(command, Create("InnerFormatShapeCommand", Enum.Parse(EngineType("FormatShape"), shape)));

    /// <summary>Makes <paramref name="command"/> render what it gets, formatted or not, as text into <paramref name="writer"/>.</summary>
    internal static void RenderInto(FrontEndCommandBase command, TextWriter writer, int columns)
    {
        object output = Create("OutputManagerInner");
        output.GetType().GetProperty("LineOutput", Any)!.SetValue(output, Create("TextWriterLineOutput", writer, columns));
        Implementation.SetValue(command, output);
    }

    /// <summary>Marks <paramref name="record"/> so that Out-Default writes it as an error.</summary>
    internal static void SendToErrorStream(PSObject record)
    {
        PropertyInfo stream = typeof(PSObject).GetProperty("WriteStream", Any)!;
        stream.SetValue(record, Enum.Parse(stream.PropertyType, "Error"));
    }

    /// <summary>Lets <c>exit</c> in the next script file end the session with its code, as <c>pwsh -File</c> does.</summary>
    internal static void LetExitLeaveScriptFile(Runspace runspace) =>
        Context(runspace, "ScriptCommandProcessorShouldRethrowExit", out object context).SetValue(context, true);

    /// <summary><c>$?</c>; to ask the session for the variable would run a pipeline, and change it.</summary>
    internal static bool LastStatementSucceeded(Runspace runspace) =>
        (bool)Context(runspace, "QuestionMarkVariableValue", out object context).GetValue(context)!;

    /// <summary>Stops the commands that feed <paramref name="command"/>: it has all it wants.</summary>
    [DoesNotReturn]
    internal static void StopUpstream(Cmdlet command)
    {
        Type type = Engine.GetType("System.Management.Automation.StopUpstreamCommandsException", throwOnError: true)!;
        throw (Exception)Activator.CreateInstance(type, Any, null, [command], null)!;
    }

    private static PropertyInfo Context(Runspace runspace, string property, out object context)
    {
        context = typeof(Runspace).GetProperty("ExecutionContext", Any)!.GetValue(runspace)!;
        return context.GetType().GetProperty(property, Any)!;
    }

    private static Type EngineType(string name) => Engine.GetType(Format + name, throwOnError: true)!;

    private static object Create(string name, params object[] arguments) =>
        Activator.CreateInstance(EngineType(name), Any, null, arguments, null)!;
}
