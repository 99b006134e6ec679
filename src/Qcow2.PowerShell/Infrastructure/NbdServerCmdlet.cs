using System.Management.Automation;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet for servers that are there.</summary>
public abstract class NbdServerCmdlet : Qcow2Cmdlet
{
    /// <summary>Finds servers by their names. A name without wildcards that none has is an error.</summary>
    /// <param name="names">The names, in letters of either case.</param>
    private protected IEnumerable<HostedNbdServer> Find(IEnumerable<string> names)
    {
        var found = new List<HostedNbdServer>();
        IReadOnlyList<HostedNbdServer> all = NbdServers.All;
        foreach (string name in names)
        {
            var pattern = WildcardPattern.Get(name, WildcardOptions.IgnoreCase);
            HostedNbdServer[] meant = [.. all.Where(server => string.Equals(server.Name, name, StringComparison.OrdinalIgnoreCase) || pattern.IsMatch(server.Name))];
            if (meant.Length == 0 && !WildcardPattern.ContainsWildcardCharacters(name))
            {
                string plain = WildcardPattern.Unescape(name);
                var missing = new ImageCmdletException("NbdServerNotFound", ErrorCategory.ObjectNotFound, $"There is no server with the name '{plain}' in this process: Get-Qcow2NbdServer shows those that there are.");
                WriteError(ErrorRecords.From(missing, plain));
            }

            found.AddRange(meant);
        }

        return found.Distinct();
    }
}
