using System.Management.Automation;
using System.Text.RegularExpressions;

namespace Qcow2.PowerShell.Tests.Infrastructure;

/// <summary>The parameters that a message names must be there: those of the cmdlet that it names before them in the same sentence, or of its own.</summary>
internal static partial class AdvisedParameters
{
    /// <summary>Fails if a message advises what cannot be typed.</summary>
    internal static void AssertExist(ModuleSession session, string command, string message)
    {
        foreach (string sentence in SentenceEnd().Split(message))
        {
            string current = command;
            foreach (Match word in Word().Matches(sentence))
            {
                if (word.Groups["command"].Success)
                {
                    current = word.Value;
                    continue;
                }

                string name = word.Groups["parameter"].Value;
                bool exists = (bool)session.Run(
                    "param($c, $p) $k = (Get-Command $c).Parameters; $k.ContainsKey($p) -or $p -in $k.Values.Aliases", current, name).Output.Single().BaseObject;
                Assert.True(exists, $"{current} has no parameter -{name}, which its error advises: {message}");
            }
        }
    }

    [GeneratedRegex(@"(?<=[.;]) ")]
    private static partial Regex SentenceEnd();

    [GeneratedRegex(@"(?<command>\b[A-Z][a-z]+-Qcow2[A-Za-z]+)|(?<![\w'/])-(?<parameter>[A-Z][A-Za-z]+)")]
    private static partial Regex Word();
}
