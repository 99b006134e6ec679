using System.Management.Automation;
using System.Management.Automation.Runspaces;
using Qcow2.Shell.Commands;
using Qcow2.Shell.Engine;
using Qcow2.Shell.Hosting;

namespace Qcow2.Shell.Sessions;

/// <summary>One runspace with the shell's commands in it, and how a pipeline runs there.</summary>
internal sealed class ShellSession : IDisposable
{
    private readonly ShellHost _host;
    private readonly Runspace _runspace;
    private readonly Lock _gate = new();
    private Pipeline? _running;

    /// <param name="host">The program around the engine.</param>
    internal ShellSession(ShellHost host)
    {
        _host = host;
        InitialSessionState state = InitialSessionState.CreateDefault2();
        CommandTable.AddTo(state);
        _runspace = RunspaceFactory.CreateRunspace(host, state);
        _runspace.ThreadOptions = PSThreadOptions.UseCurrentThread;
        _runspace.Open();
        Runspace.DefaultRunspace = _runspace;
    }

    /// <summary>The code of <c>exit</c>; null while the script runs on.</summary>
    internal int? RequestedExitCode => _host.RequestedExitCode;

    /// <summary>Whether Ctrl-C stopped the last pipeline.</summary>
    internal bool WasInterrupted { get; private set; }

    /// <summary>Imports the module at <paramref name="manifest"/> for the whole session.</summary>
    /// <exception cref="RuntimeException">The module could not be loaded.</exception>
    internal void ImportModule(string manifest)
    {
        using PowerShell shell = PowerShell.Create(_runspace);
        shell.AddCommand("Import-Module").AddParameter("Name", manifest).AddParameter("Global").AddParameter("ErrorAction", "Stop").Invoke();
    }

    /// <summary>Runs <paramref name="text"/> at the top level of the session and shows what it emits.</summary>
    /// <returns><c>$?</c> after it.</returns>
    internal bool RunText(string text)
    {
        // Only a pipeline that goes to the history leaves its $? behind; and the engine's view of a syntax error at the very end
        // of the text is empty, so the text ends with a line end.
        using Pipeline pipeline = _runspace.CreatePipeline(text + Environment.NewLine, addToHistory: true);
        return Run(pipeline) && EngineInternals.LastStatementSucceeded(_runspace);
    }

    /// <summary>Runs the script file at <paramref name="path"/> with its own arguments.</summary>
    /// <returns>Whether it came to its end, or to its own <c>exit</c>, without a terminating error.</returns>
    internal bool RunFile(string path, IEnumerable<CommandParameter> arguments)
    {
        Command command = new(path);
        foreach (CommandParameter argument in arguments)
        {
            command.Parameters.Add(argument);
        }

        using Pipeline pipeline = _runspace.CreatePipeline();
        pipeline.Commands.Add(command);
        EngineInternals.LetExitLeaveScriptFile(_runspace);
        return Run(pipeline);
    }

    /// <summary>What <paramref name="script"/> emits, as text; empty if it fails.</summary>
    internal string Evaluate(string script)
    {
        using PowerShell shell = PowerShell.Create(_runspace);
        try
        {
            return string.Concat(shell.AddScript(script).Invoke<string>());
        }
        catch (RuntimeException)
        {
            return "";
        }
    }

    /// <summary>Shows <paramref name="error"/> as the session shows any error.</summary>
    internal void ShowError(ErrorRecord error)
    {
        PSObject record = new(error);
        EngineInternals.SendToErrorStream(record);
        using Pipeline pipeline = _runspace.CreatePipeline();
        pipeline.Commands.Add("Out-Default");
        pipeline.Input.Write(record);
        pipeline.Input.Close();
        pipeline.Invoke();
    }

    /// <summary>Stops what is running.</summary>
    /// <returns>False if nothing was.</returns>
    internal bool Interrupt()
    {
        lock (_gate)
        {
            if (_running is null)
            {
                return false;
            }

            WasInterrupted = true;
            _running.StopAsync();
            return true;
        }
    }

    public void Dispose() => _runspace.Dispose();

    private bool Run(Pipeline pipeline)
    {
        pipeline.Commands[0].MergeMyResults(PipelineResultTypes.Error, PipelineResultTypes.Output);
        pipeline.Commands.Add(new Command("Out-Default", isScript: false, useLocalScope: true));
        SetRunning(pipeline);
        try
        {
            pipeline.Invoke();
            return true;
        }
        catch (PipelineStoppedException)
        {
            return false;
        }
        catch (RuntimeException e)
        {
            ShowError(e.ErrorRecord);
            return false;
        }
        finally
        {
            SetRunning(null);
        }
    }

    private void SetRunning(Pipeline? pipeline)
    {
        lock (_gate)
        {
            _running = pipeline;
            WasInterrupted = pipeline is null && WasInterrupted;
        }
    }
}
