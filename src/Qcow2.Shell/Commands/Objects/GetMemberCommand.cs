using System.Management.Automation;

namespace Qcow2.Shell.Commands.Objects;

/// <summary>Get-Member: the properties and methods of the objects, once for each type.</summary>
[Cmdlet(VerbsCommon.Get, "Member")]
internal sealed class GetMemberCommand : PSCmdlet
{
    private readonly HashSet<string> _seen = [];

    [Parameter(ValueFromPipeline = true)]
    public PSObject? InputObject { get; set; }

    [Parameter(Position = 0)]
    public string[] Name { get; set; } = ["*"];

    [Parameter]
    [Alias("Type")]
    public PSMemberTypes MemberType { get; set; } = PSMemberTypes.All;

    protected override void ProcessRecord()
    {
        if (InputObject is null || !_seen.Add(InputObject.TypeNames[0]))
        {
            return;
        }

        foreach (string pattern in Name)
        {
            IEnumerable<PSMemberInfo> members = InputObject.Members.Match(pattern, MemberType)
                .Where(m => !m.Name.StartsWith("get_", StringComparison.Ordinal) && !m.Name.StartsWith("set_", StringComparison.Ordinal));
            foreach (PSMemberInfo member in members.OrderBy(m => m.MemberType).ThenBy(m => m.Name, StringComparer.OrdinalIgnoreCase))
            {
                WriteObject(Describe(member));
            }
        }
    }

    private PSObject Describe(PSMemberInfo member) => EngineViews.Describe(
        "Microsoft.PowerShell.Commands.MemberDefinition",
        ("TypeName", InputObject!.TypeNames[0]),
        ("Name", member.Name),
        ("MemberType", member.MemberType),
        ("Definition", member.ToString()));
}
