using System.Collections.ObjectModel;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Security;

namespace Qcow2.Shell.Hosting;

/// <summary>Asks the user. Where nobody can answer, a question is an error, never a wait.</summary>
internal sealed class Questioner(ShellHostUserInterface ui, bool nonInteractive)
{
    /// <summary>One line from the user.</summary>
    internal string ReadLine()
    {
        ThrowIfNobodyAnswers();
        return Console.In.ReadLine() ?? throw new PSInvalidOperationException("Standard input has ended; there is no answer to read.");
    }

    /// <summary>One line from the user, not shown.</summary>
    internal SecureString ReadSecret()
    {
        ThrowIfNobodyAnswers();
        if (Console.IsInputRedirected)
        {
            return SecretReader.FromText(ReadLine());
        }

        SecureString secret = SecretReader.Read(() => Console.ReadKey(intercept: true));
        ui.WriteLine();
        return secret;
    }

    /// <summary>Asks for each field, as for a mandatory parameter that was not given.</summary>
    internal Dictionary<string, PSObject?> AskFields(string caption, string message, Collection<FieldDescription> fields)
    {
        ThrowIfNobodyAnswers();
        Introduce(caption, message);
        Dictionary<string, PSObject?> answers = [];
        foreach (FieldDescription field in fields)
        {
            object answer = FieldType(field) switch
            {
                { } type when type == typeof(SecureString) => AskSecret(field.Name),
                { } type when type == typeof(PSCredential) => AskCredential("", "", ""),
                { IsArray: true } => AskList(field.Name),
                _ => Ask(field.Name),
            };
            answers[field.Name] = PSObject.AsPSObject(answer);
        }

        return answers;
    }

    /// <summary>Asks for one of <paramref name="choices"/>; Enter takes the default, <c>?</c> explains.</summary>
    internal int AskChoice(string caption, string message, Collection<ChoiceDescription> choices, int defaultChoice)
    {
        ThrowIfNobodyAnswers();
        Introduce(caption, message);
        ChoiceMenu menu = new(choices, defaultChoice);
        while (true)
        {
            string answer = Ask(menu.Question).Trim();
            if (answer == "?")
            {
                ui.WriteLine(menu.Explanation);
            }
            else if (menu.Find(answer) is int chosen and >= 0)
            {
                return chosen;
            }
        }
    }

    /// <summary>Asks for a user name, unless it is known, and a password.</summary>
    internal PSCredential AskCredential(string caption, string message, string userName)
    {
        Introduce(caption, message);
        string user = string.IsNullOrEmpty(userName) ? Ask("User") : userName;
        return new PSCredential(user, AskSecret($"Password for {user}"));
    }

    private static Type? FieldType(FieldDescription field) =>
        field.ParameterAssemblyFullName is { Length: > 0 } ? Type.GetType(field.ParameterAssemblyFullName) : null;

    private string Ask(string label)
    {
        ui.Write($"{label}: ");
        return ReadLine();
    }

    private SecureString AskSecret(string label)
    {
        ui.Write($"{label}: ");
        return ReadSecret();
    }

    private string[] AskList(string name)
    {
        List<string> items = [];
        for (string item = Ask($"{name}[0]"); item.Length > 0; item = Ask($"{name}[{items.Count}]"))
        {
            items.Add(item);
        }

        return [.. items];
    }

    private void Introduce(string caption, string message)
    {
        foreach (string line in new[] { caption, message })
        {
            if (!string.IsNullOrEmpty(line))
            {
                ui.WriteLine(line);
            }
        }
    }

    private void ThrowIfNobodyAnswers()
    {
        if (nonInteractive)
        {
            throw new PSInvalidOperationException("The shell runs with -NonInteractive and cannot ask. Give the value as a parameter.");
        }
    }
}
