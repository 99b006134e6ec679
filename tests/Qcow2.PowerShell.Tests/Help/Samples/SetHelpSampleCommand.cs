using System.Management.Automation;

namespace Qcow2.PowerShell.Tests.Help.Samples;

/// <summary>Sets
/// samples.</summary>
/// <remarks>
/// <para>See <see cref="GetHelpSampleCommand"/> with <see cref="GetHelpSampleCommand.Count"/>, or <see cref="SampleItem"/>,
/// <see cref="SampleColor.Green"/>, <see langword="null"/>, <see href="https://example.org">a page</see>.</para>
/// <para>A list &amp; a * star:</para>
/// <list type="bullet">
/// <item><description>one</description></item>
/// <item><term>two</term><description>with <c>code</c></description></item>
/// </list>
/// <list type="number">
/// <item>first</item>
/// <item>second</item>
/// </list>
/// </remarks>
/// <example>
/// Paint it
/// <code>
/// Set-HelpSample a.txt |
///     Out-Null
/// </code>
/// <para>Paints.</para>
/// <para>Twice.</para>
/// </example>
/// <example>
/// <code>Set-HelpSample b.txt</code>
/// </example>
/// <seealso cref="GetHelpSampleCommand"/>
/// <seealso href="https://example.org/more">More</seealso>
[Cmdlet(VerbsCommon.Set, "HelpSample", DefaultParameterSetName = "Path", SupportsShouldProcess = true)]
[Alias("shs")]
[OutputType(typeof(SampleItem), ParameterSetName = ["Path"])]
[OutputType(typeof(SampleItem), typeof(bool))]
public sealed class SetHelpSampleCommand : SampleCommandBase
{
    /// <summary>The colour. See <see cref="Force"/>.</summary>
    [Parameter(Position = 1)]
    public SampleColor Color { get; set; } = SampleColor.Green;

    /// <summary>A word of a few.</summary>
    [Parameter]
    [ValidateSet("x", "y")]
    public string? Word { get; set; }

    /// <summary>How many.</summary>
    /// <value>One for each</value>
    [Parameter]
    [ValidateRange(1, 64)]
    public int Threads { get; set; } = Environment.ProcessorCount;

    /// <summary>How large.</summary>
    [Parameter]
    public int? Size { get; set; }

    /// <summary>By attribute.</summary>
    [Parameter]
    [PSDefaultValue(Help = "The current folder")]
    public string? Folder { get; set; }

    /// <summary>Goes on.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    [Parameter]
    public override string? Inherited { get; set; }

    [Parameter(DontShow = true)]
    public string? Hidden { get; set; }
}
