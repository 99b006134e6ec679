using Qcow2.HelpGenerator.Documentation;
using Qcow2.HelpGenerator.Metadata;
using Qcow2.HelpGenerator.Model;
using Qcow2.PowerShell.Tests.Help.Samples;

namespace Qcow2.PowerShell.Tests.Help;

/// <summary>What the generator makes of the sample cmdlets.</summary>
internal static class SampleHelp
{
    internal static IReadOnlyList<CommandHelp> All { get; } = CommandHelpBuilder.Build(
        [typeof(SetHelpSampleCommand), typeof(GetHelpSampleCommand), typeof(ClearHelpSampleCommand)],
        XmlDocReader.ForAssemblies(typeof(SampleHelp).Assembly));

    internal static CommandHelp Set { get; } = All.Single(command => command.Name == "Set-HelpSample");

    internal static CommandHelp Get { get; } = All.Single(command => command.Name == "Get-HelpSample");

    internal static CommandHelp Clear { get; } = All.Single(command => command.Name == "Clear-HelpSample");

    internal static ParameterHelp Parameter(string name) => Set.Parameters.Single(parameter => parameter.Name == name);
}
