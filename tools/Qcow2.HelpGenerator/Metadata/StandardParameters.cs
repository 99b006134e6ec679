using System.Management.Automation;
using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator.Metadata;

/// <summary>The parameters that PowerShell adds to cmdlets.</summary>
public static class StandardParameters
{
    private static readonly Dictionary<string, string> Descriptions = new(StringComparer.OrdinalIgnoreCase)
    {
        ["WhatIf"] = "Shows what would happen. Nothing is changed.",
        ["Confirm"] = "Asks for confirmation before anything is changed.",
    };

    /// <summary>Whether a parameter is one of those that <c>&lt;CommonParameters&gt;</c> stands for.</summary>
    /// <param name="name">Its name.</param>
    public static bool IsCommon(string name) => Cmdlet.CommonParameters.Contains(name);

    /// <summary>Whether a parameter is one of those that come with SupportsShouldProcess.</summary>
    /// <param name="name">Its name.</param>
    public static bool IsOfShouldProcess(string name) => Descriptions.ContainsKey(name);

    /// <summary>What to say of a parameter that comes with SupportsShouldProcess.</summary>
    /// <param name="name">Its name.</param>
    public static HelpText Describe(string name) => HelpText.Plain(Descriptions[name]);
}
