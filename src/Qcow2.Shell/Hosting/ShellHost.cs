using System.Globalization;
using System.Management.Automation.Host;

namespace Qcow2.Shell.Hosting;

/// <summary>The program around the engine, as the engine sees it.</summary>
internal sealed class ShellHost(ShellHostUserInterface ui) : PSHost
{
    /// <summary>The code a script asked the shell to exit with; null while none did.</summary>
    internal int? RequestedExitCode { get; private set; }

    public override string Name => "Qcow2Shell";

    public override Version Version { get; } = typeof(ShellHost).Assembly.GetName().Version ?? new Version(0, 0);

    public override Guid InstanceId { get; } = Guid.NewGuid();

    public override PSHostUserInterface UI => ui;

    public override CultureInfo CurrentCulture => CultureInfo.CurrentCulture;

    public override CultureInfo CurrentUICulture => CultureInfo.CurrentUICulture;

    public override void SetShouldExit(int exitCode) => RequestedExitCode = exitCode;

    public override void EnterNestedPrompt() => throw new NotSupportedException("This shell has no nested prompts.");

    public override void ExitNestedPrompt() => throw new NotSupportedException("This shell has no nested prompts.");

    public override void NotifyBeginApplication() => ui.ClearProgress();

    public override void NotifyEndApplication()
    {
    }
}
